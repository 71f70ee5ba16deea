"""Build a training task from a recipe: clips, pairs, networks and validation."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import torch

from fadm.attributes.landmark_model import hash_numbers, load_landmark_model
from fadm.data.datasets import ClipSamples, RendererSamples
from fadm.data.pairs.generators import make_pair_generator
from fadm.data.pairs.store import CoarsePairs, build_coarse_pairs
from fadm.data.provenance import describe_clips
from fadm.data.shards import TrackedClip, find_shards, read_tracked_clips
from fadm.data.synthetic.clips import SyntheticOptions, write_synthetic_shards
from fadm.diffusion.sampling import spaced_timesteps
from fadm.errors import InputError, OptionError
from fadm.rendering.loading import load_renderer
from fadm.rendering.options import RenderOptions
from fadm.rendering.renderer import DiffusionRenderer
from fadm.training.loop import Task
from fadm.training.objective import Objective
from fadm.training.objectives.distillation import DistillationConfig, build_distillation_objective
from fadm.training.objectives.face_vid2vid import build_face_vid2vid_objective
from fadm.training.objectives.fomm import build_fomm_objective
from fadm.training.objectives.renderer import build_renderer_objective
from fadm.training.options import DataOptions, RunOptions
from fadm.training.recipes import DistillationRecipe, FaceVid2VidRecipe, FOMMRecipe, RendererRecipe
from fadm.training.validation import HeldOut, animate_batch, render_batch
from fadm.weights.registry import describe_weights, find_weights
from fadm.weights.store import load_into, load_weights

Report = Callable[[str, int, int], None]  # name of the work, number done, total
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
    train, held_out = _read_pairs(objective, recipe, report)  # last: it may take hours
    return _rendering_task(objective, train, held_out, recipe, recipe.render, start)


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
    train, held_out = _read_pairs(objective, recipe, report)  # last: it may take hours
    return _rendering_task(objective, train, held_out, recipe, render, [teacher])


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
    train: CoarsePairs,
    held_out: CoarsePairs,
    recipe: RendererRecipe | DistillationRecipe,
    render: RenderOptions,
    weights: list[str],
) -> Task:
    """Join data, objective and validation; `weights` are the renderer's own start or teacher."""
    run, coarse = recipe.run, recipe.coarse
    held_out_samples = RendererSamples(held_out, VALIDATION_SEED, is_jittered=False)
    validation = HeldOut(held_out_samples, run.validation_samples, render_batch(render), "coarse", run.precision)
    samples = RendererSamples(train, run.seed, is_jittered=recipe.data.is_jittered)
    weights = weights + [coarse.generator] * (coarse.generator != "geometric")
    weights = weights + ["deca"] * (coarse.attributes == "deca")
    metadata = {"kind": "fadm", "attributes": coarse.attributes}
    if coarse.attributes == "landmarks":
        metadata["face_model"] = hash_numbers(load_landmark_model())
    return Task(objective, samples, validation, {"fadm": metadata | describe_clips(train.clips, weights)})


def _check_rendering(
    objective: Objective, recipe: RendererRecipe | DistillationRecipe, render: RenderOptions, weights: list[str]
) -> None:
    """Check sizes, steps and attributes before the pairs are made, which may take hours.

    `weights` are the renderer's start or teacher. Raises OptionError for what does not fit.
    """
    renderer = _renderer_of(objective)
    renderer.check_size(recipe.data.size, recipe.data.size)
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
    train, held_out = _read_clips(data, report)
    _start(objective, run)
    held_out_samples = ClipSamples(held_out, data.size, VALIDATION_SEED, is_jittered=False)
    validation = HeldOut(held_out_samples, run.validation_samples, animate_batch(name), "source", run.precision)
    samples = ClipSamples(train, data.size, run.seed, is_jittered=data.is_jittered)
    start = [run.start] if run.start else []
    return Task(objective, samples, validation, {name: {"kind": name} | describe_clips(train, start)})


def _read_pairs(
    objective: Objective, recipe: RendererRecipe | DistillationRecipe, report: Report
) -> tuple[CoarsePairs, CoarsePairs]:
    """Read pairs of the training clips and of the held-out ones; make those that are not in the cache."""
    data, coarse = recipe.data, recipe.coarse
    person = ("person",) * _renderer_of(objective).config.use_person
    for_validation = replace(
        coarse.pairs,
        mirrored=False,
        augmented=0.0,
        sources_per_clip=coarse.validation_pairs_per_clip,
        drivings_per_source=1,
    )
    parts = (("pairs", coarse.pairs, person), ("validation pairs", for_validation, (*person, "confidence")))
    pairs = []
    for clips, (what, options, layers) in zip(_read_clips(data, report), parts, strict=True):
        pairs.append(
            build_coarse_pairs(
                clips,
                replace(options, size=data.size),
                make_pair_generator(coarse.generator, options.augmented, coarse.attributes, layers),
                Path(data.cache),
                workers=max(1, data.workers),
                report=partial(report, what),
            )
        )
    return pairs[0], pairs[1]


def _read_clips(data: DataOptions, report: Report) -> tuple[list[TrackedClip], list[TrackedClip]]:
    """Read the clips of the training identities and of the held-out ones; synthetic clips where none are given."""
    if not data.shards:
        report("synthetic faces", 0, 1)
        folder = Path(data.cache) / f"synthetic-{data.size}"
        folder.mkdir(parents=True, exist_ok=True)
        shards, validation = write_synthetic_shards(folder, SyntheticOptions(size=data.size))
    elif not data.validation:
        raise InputError(
            "data.shards are given but no data.validation; give shards of held-out identities for validation"
        )
    else:
        shards, validation = (find_shards([Path(p) for p in part]) for part in (data.shards, data.validation))
    train, held_out = (
        [c for c in read_tracked_clips(part) if len(c.pictures) > 1 and data.tier in ("all", c.info.get("tier"))]
        for part in (shards, validation)
    )
    for name, part in (("shards", train), ("validation", held_out)):
        if not part:
            raise InputError(f"no clips of tier {data.tier!r} with at least 2 frames in data.{name}")
    both = {clip.identity for clip in train} & {clip.identity for clip in held_out}
    if both:
        raise InputError(f"data.validation and data.shards share identities, among them {min(both)}; keep them apart")
    return train, held_out


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
