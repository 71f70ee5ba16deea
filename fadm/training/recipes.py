"""Recipes: all choices of one training run. A TOML file says which kind it is, and what differs from the defaults."""

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

COARSE_OPTIMIZER = OptimizerOptions(betas=(0.5, 0.999))


@dataclass(frozen=True, kw_only=True)
class RendererRecipe:
    """`fadm train renderer`; render: how validation renders."""

    objective: RendererObjectiveConfig = RendererObjectiveConfig()
    data: DataOptions = DataOptions()
    coarse: CoarseOptions = CoarseOptions()
    optimizer: OptimizerOptions = OptimizerOptions()
    discriminator_optimizer: OptimizerOptions = OptimizerOptions()
    run: RunOptions = RunOptions()
    render: RenderOptions = RenderOptions()


@dataclass(frozen=True, kw_only=True)
class FOMMRecipe:
    """`fadm train fomm`."""

    objective: FOMMObjectiveConfig = FOMMObjectiveConfig()
    data: DataOptions = DataOptions()
    optimizer: OptimizerOptions = COARSE_OPTIMIZER
    discriminator_optimizer: OptimizerOptions = COARSE_OPTIMIZER
    run: RunOptions = RunOptions()


@dataclass(frozen=True, kw_only=True)
class FaceVid2VidRecipe:
    """`fadm train face_vid2vid`."""

    objective: FaceVid2VidObjectiveConfig = FaceVid2VidObjectiveConfig()
    data: DataOptions = DataOptions()
    optimizer: OptimizerOptions = COARSE_OPTIMIZER
    discriminator_optimizer: OptimizerOptions = COARSE_OPTIMIZER
    run: RunOptions = RunOptions()


@dataclass(frozen=True, kw_only=True)
class DistillationRecipe:
    """`fadm train distill`: run holds for each stage; teacher: weights of a trained renderer."""

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


def read_recipe(kind: str, path: Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe of the given kind. Raises ConfigError, also where the file says that it is of another kind."""
    values = dict(read_table(path, overrides))
    given = values.pop("kind", kind)
    if given != kind:
        raise ConfigError(f"{path} is a recipe of kind {given!r}, not {kind!r}; use fadm train {given}")
    return config_from_dict(KINDS[kind], values, source=str(path))
