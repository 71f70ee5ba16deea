"""Recipes: all choices of a training run. A TOML file holds the kind and what differs from the defaults."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fadm.config import config_from_dict, read_table
from fadm.errors import ConfigError
from fadm.rendering.options import RenderOptions
from fadm.training.objectives.distillation import DistillationStages
from fadm.training.objectives.face_vid2vid import FaceVid2VidObjectiveConfig
from fadm.training.objectives.fomm import FOMMObjectiveConfig
from fadm.training.objectives.renderer import RendererObjectiveConfig
from fadm.training.options import CoarseOptions, DataOptions, OptimizerOptions, RunOptions
from fadm.weights.registry import describe_weights

COARSE_OPTIMIZER = OptimizerOptions(betas=(0.5, 0.999))


@dataclass(frozen=True, kw_only=True)
class RendererRecipe:
    """Recipe of `fadm train renderer`.

    Attributes:
        objective: The network and its losses.
        data: Training data and held-out data.
        coarse: The frozen coarse generator and the pairs that it is applied to.
        optimizer: Of the renderer.
        discriminator_optimizer: Of the discriminator, where there is one.
        run: Length of the run, and what is written when.
        render: How validation renders.
    """

    objective: RendererObjectiveConfig = RendererObjectiveConfig()
    data: DataOptions = DataOptions()
    coarse: CoarseOptions = CoarseOptions()
    optimizer: OptimizerOptions = OptimizerOptions()
    discriminator_optimizer: OptimizerOptions = OptimizerOptions()
    run: RunOptions = RunOptions()
    render: RenderOptions = RenderOptions()


@dataclass(frozen=True, kw_only=True)
class FOMMRecipe:
    """Recipe of `fadm train fomm`.

    Attributes:
        objective: The network and its losses.
        data: Training data and held-out data.
        optimizer: Of the motion model.
        discriminator_optimizer: Of the discriminator, where there is one.
        run: Length of the run, and what is written when.
    """

    objective: FOMMObjectiveConfig = FOMMObjectiveConfig()
    data: DataOptions = DataOptions()
    optimizer: OptimizerOptions = COARSE_OPTIMIZER
    discriminator_optimizer: OptimizerOptions = COARSE_OPTIMIZER
    run: RunOptions = RunOptions()


@dataclass(frozen=True, kw_only=True)
class FaceVid2VidRecipe:
    """Recipe of `fadm train face_vid2vid`.

    Attributes:
        objective: The network and its losses.
        data: Training data and held-out data.
        optimizer: Of Face vid2vid.
        discriminator_optimizer: Of the discriminator, where there is one.
        run: Length of the run, and what is written when.
    """

    objective: FaceVid2VidObjectiveConfig = FaceVid2VidObjectiveConfig()
    data: DataOptions = DataOptions()
    optimizer: OptimizerOptions = COARSE_OPTIMIZER
    discriminator_optimizer: OptimizerOptions = COARSE_OPTIMIZER
    run: RunOptions = RunOptions()


@dataclass(frozen=True, kw_only=True)
class DistillationRecipe:
    """Recipe of `fadm train distill`.

    Attributes:
        teacher: Name or file of the weights of a trained renderer.
        objective: The stages and their losses.
        data: Training data and held-out data.
        coarse: The frozen coarse generator and the pairs that it is applied to.
        optimizer: Of each student.
        run: Length of each stage, and what is written when.
    """

    teacher: str
    objective: DistillationStages = DistillationStages()
    data: DataOptions = DataOptions()
    coarse: CoarseOptions = CoarseOptions()
    optimizer: OptimizerOptions = OptimizerOptions()
    run: RunOptions = RunOptions()


Recipe = RendererRecipe | FOMMRecipe | FaceVid2VidRecipe | DistillationRecipe

KINDS: dict[str, type[Recipe]] = {
    "renderer": RendererRecipe,
    "fomm": FOMMRecipe,
    "face_vid2vid": FaceVid2VidRecipe,
    "distill": DistillationRecipe,
}


def read_recipe(kind: str, path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        kind: `renderer`, `fomm`, `face_vid2vid` or `distill`.
        path: A .toml or .json file, such as those in configs/.
        overrides: Changed keys, such as `run.steps=2000`.

    Returns:
        The recipe, with its defaults where the file says nothing.

    Raises:
        ConfigError: The file cannot be read, is of another kind, or holds an unknown key or a wrong value.
    """
    values = dict(read_table(Path(path), overrides))
    given = values.pop("kind", kind)
    if given != kind:
        raise ConfigError(f"{path} is a recipe of kind {given!r}, not {kind!r}; use fadm train {given}")
    return config_from_dict(KINDS[kind], values, source=str(path))


def check_terms(recipe: Recipe) -> None:
    """Check that the terms of what a recipe takes allow commercial use of what it trains.

    Args:
        recipe: The recipe.

    Raises:
        ConfigError: It takes data under other than open terms.
        WeightsError: The terms of weights that it starts from, learns from or makes frames with are refused.
    """
    if recipe.data.shards and recipe.data.tier != "open":
        raise ConfigError(f"--commercial refuses data.tier = {recipe.data.tier!r}; give -s data.tier=open")
    start = recipe.teacher if isinstance(recipe, DistillationRecipe) else recipe.run.start
    coarse = [] if isinstance(recipe, FOMMRecipe | FaceVid2VidRecipe) else recipe.coarse.weights
    for name in [*coarse, *([start] if start else [])]:
        describe_weights(name, commercial=True)
