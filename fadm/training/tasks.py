"""Build a training task from a recipe: clips, pairs, networks and validation."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch

from fadm.attributes.landmark_model import hash_numbers, load_landmark_model
from fadm.data.datasets import ClipSamples, RendererSamples
from fadm.data.part_samples import PartSamples
from fadm.data.provenance import describe_clips
from fadm.diffusion.sampling import spaced_timesteps
from fadm.errors import OptionError
from fadm.rendering.loading import load_renderer
from fadm.rendering.options import RenderOptions
from fadm.rendering.parts import WINDOW
from fadm.rendering.renderer import DiffusionRenderer
from fadm.training.loop import Task
from fadm.training.objective import Objective
from fadm.training.objectives.distillation import DistillationConfig, build_distillation_objective
from fadm.training.objectives.face_vid2vid import build_face_vid2vid_objective
from fadm.training.objectives.fomm import build_fomm_objective
from fadm.training.objectives.renderer import build_renderer_objective
from fadm.training.options import DataOptions, RunOptions
from fadm.training.pairs import Report, read_clips, read_pairs
from fadm.training.recipes import DistillationRecipe, FaceVid2VidRecipe, FOMMRecipe, RendererRecipe
from fadm.training.validation import HeldOut, animate_batch, render_batch
from fadm.weights.registry import describe_weights, find_weights
from fadm.weights.store import load_into, load_weights

VALIDATION_SEED = 1


def renderer_task(recipe: RendererRecipe, report: Report) -> Task:
    """Build the training of a renderer on coarse frames.

    Args:
        recipe: The recipe.
        report: Called with the name of the preparatory work, the number done and the total.

    Returns:
        The task.

    Raises:
        FadmError: A value of the recipe does not fit, or data or weights cannot be used.
    """
    with _seeded(recipe.run):
        objective = build_renderer_objective(recipe.objective)
    _start(objective, recipe.run)
    start = [recipe.run.start] if recipe.run.start else []
    _check_rendering(objective, recipe, recipe.render, start)
    return _rendering_task(objective, recipe, recipe.render, start, report)


def distillation_task(recipe: DistillationRecipe, stage: DistillationConfig, teacher: str, report: Report) -> Task:
    """Build one stage of a distillation, which trains a renderer with fewer sampling steps than its teacher.

    Args:
        recipe: The recipe.
        stage: Steps and losses of the stage.
        teacher: Name of the teacher's weights, or a weights file.
        report: As in `renderer_task`.

    Returns:
        The task.

    Raises:
        FadmError: A value of the recipe does not fit, or data or weights cannot be used.
    """
    if recipe.run.start is not None:
        raise OptionError("run.start has no place in a distillation: the student begins as its teacher")
    objective = build_distillation_objective(stage, load_renderer(teacher))
    render = RenderOptions(sampler="ddim", eta=0.0, num_steps=stage.student_steps, shared_noise=True)
    _check_rendering(objective, recipe, render, [teacher])
    return _rendering_task(objective, recipe, render, [teacher], report)


def fomm_task(recipe: FOMMRecipe, report: Report) -> Task:
    """Build the training of a first order motion model.

    Args:
        recipe: The recipe.
        report: As in `renderer_task`.

    Returns:
        The task.

    Raises:
        FadmError: A value of the recipe does not fit, or data or weights cannot be used.
    """
    with _seeded(recipe.run):
        objective = build_fomm_objective(recipe.objective)
    return _coarse_task("fomm", objective, recipe.data, recipe.run, report)


def face_vid2vid_task(recipe: FaceVid2VidRecipe, report: Report) -> Task:
    """Build the training of a Face vid2vid.

    Args:
        recipe: The recipe.
        report: As in `renderer_task`.

    Returns:
        The task.

    Raises:
        FadmError: A value of the recipe does not fit, or data or weights cannot be used.
    """
    with _seeded(recipe.run):
        objective = build_face_vid2vid_objective(recipe.objective)
    return _coarse_task("face_vid2vid", objective, recipe.data, recipe.run, report)


def _rendering_task(
    objective: Objective,
    recipe: RendererRecipe | DistillationRecipe,
    render: RenderOptions,
    weights: list[str],
    report: Report,
) -> Task:
    """Join data, objective and validation; `weights` are the renderer's own start or teacher."""
    data, coarse, run = recipe.data, recipe.coarse, recipe.run
    config = _renderer_of(objective).config
    kind = PartSamples if config.use_contours else RendererSamples
    layers = ("person",) * config.use_person + ("landmarks",) * config.use_contours
    train, held_out = read_pairs(data, coarse, report, layers)  # it may take hours
    held_out_samples = held_out.samples(kind, VALIDATION_SEED, coarse.stills_share, is_jittered=False)
    validation = HeldOut(held_out_samples, run.validation_samples, render_batch(render), "coarse", run.precision)
    samples = train.samples(kind, run.seed, coarse.stills_share, is_jittered=data.is_jittered)
    metadata = {"kind": "fadm", "attributes": coarse.attributes}
    if coarse.attributes == "landmarks":
        metadata["face_model"] = hash_numbers(load_landmark_model())
    metadata |= describe_clips(train.clips, weights + coarse.weights)
    return Task(objective, samples, validation, {"fadm": metadata})


def _check_rendering(
    objective: Objective, recipe: RendererRecipe | DistillationRecipe, render: RenderOptions, weights: list[str]
) -> None:
    """Check sizes, steps and attributes before the pairs are made, which may take hours.

    `weights` are the renderer's start or teacher. Raises OptionError for what does not fit.
    """
    renderer = _renderer_of(objective)
    side = WINDOW if renderer.config.use_contours else recipe.data.size
    renderer.check_size(side, side)
    spaced_timesteps(render.num_steps, renderer.config.timesteps, render.strength)
    for name in weights:
        known = describe_weights(name).attributes
        if known != recipe.coarse.attributes:
            raise OptionError(
                f"coarse.attributes = {recipe.coarse.attributes!r}, but {name} was trained with those of {known}, "
                "whose numbers mean something else"
            )


def _renderer_of(objective: Objective) -> DiffusionRenderer:
    return cast(DiffusionRenderer, objective.networks["fadm"])


def _coarse_task(name: str, objective: Objective, data: DataOptions, run: RunOptions, report: Report) -> Task:
    train, held_out = read_clips(data, report, least_frames=2)
    _start(objective, run)
    held_out_samples = ClipSamples(held_out, data.size, VALIDATION_SEED, is_jittered=False)
    validation = HeldOut(held_out_samples, run.validation_samples, animate_batch(name), "source", run.precision)
    samples = ClipSamples(train, data.size, run.seed, is_jittered=data.is_jittered)
    start = [run.start] if run.start else []
    return Task(objective, samples, validation, {name: {"kind": name} | describe_clips(train, start)})


@contextmanager
def _seeded(run: RunOptions) -> Iterator[None]:
    """Seed the initialisation of networks, without changing the random state outside."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed)
        yield


def _start(objective: Objective, run: RunOptions) -> None:
    """Load the weights that the run starts from."""
    if run.start is None:
        return
    path = find_weights(run.start)
    tensors, _ = load_weights(path)
    for network in objective.networks.values():
        load_into(network, tensors, source=str(path))
