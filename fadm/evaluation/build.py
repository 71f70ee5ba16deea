"""From what was asked for to an evaluation: clips, pairs, and the method with its weights."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from fadm.animation.build import check_refinement, render_options
from fadm.attributes.deca import DECA
from fadm.attributes.loading import load_deca
from fadm.data.shards import TrackedClip, find_shards, read_tracked_clips
from fadm.errors import InputError, OptionError
from fadm.evaluation.driving import choose_drive
from fadm.evaluation.enhancement import EnhancedFolder
from fadm.evaluation.evaluator import Evaluation
from fadm.evaluation.features import ClipFrames, FeatureExtractors, Stopwatch
from fadm.evaluation.methods import WITHOUT, Method, Model, UnmovedSource, Variant, switch_off
from fadm.evaluation.options import TWO_FOLDERS, AblationOptions, DrawOptions, MakeOptions, RunOptions
from fadm.evaluation.pairs import PairList, check_pairs, draw_pairs, read_pairs
from fadm.evaluation.plain_clips import read_truth
from fadm.evaluation.result_folder import ResultFolder
from fadm.options import RefineOptions
from fadm.progress import NO_PROGRESS, Progress
from fadm.rendering.loading import load_renderer
from fadm.rendering.options import RenderOptions
from fadm.weights.registry import describe_weights

GEOMETRIC, UNMOVED = "geometric", "unmoved"
NETWORK_KINDS = ("fomm", "face_vid2vid")
RENDERING = ("coarse", "preset", "sampler", "steps", "eta", "strength")  # options of renderers alone


def choose_protocol(options: DrawOptions, given: Path | None) -> str:
    """That of the given pair list, else of the options. Raises OptionError where both say something else."""
    if given is None:
        return options.protocol
    protocol = read_pairs(given).protocol
    if options.protocol not in (DrawOptions.protocol, protocol):
        raise OptionError(f"--protocol {options.protocol}: the pair list '{given}' is of {protocol}")
    return protocol


def read_clips(
    data: Sequence[Path], protocol: str = DrawOptions.protocol, progress: Progress = NO_PROGRESS
) -> list[TrackedClip]:
    """The clips of shards or of folders of shards, for two-folders of plain files. Raises InputError for none."""
    if protocol == TWO_FOLDERS:
        return [clip for folder in data for clip in read_truth(folder, progress)]
    try:
        shards = find_shards(data)
    except InputError as error:
        raise InputError(
            f"{error}; results beside a plain folder of what they should be go with --protocol {TWO_FOLDERS}"
        ) from error
    return [clip for clip in read_tracked_clips(shards) if clip.pictures]


def choose_pairs(clips: Sequence[TrackedClip], options: DrawOptions, given: Path | None) -> PairList:
    """The given pair list, else the one that the options draw. Raises OptionError for one that does not fit."""
    if given is None:
        return draw_pairs(clips, options)
    choose_protocol(options, given)
    pairs = read_pairs(given)
    check_pairs(pairs, clips)
    return pairs


def build_evaluation(
    model: str,
    clips: Sequence[TrackedClip],
    pairs: PairList,
    options: RunOptions,
    device: torch.device,
    render: RenderOptions | None = None,
) -> Evaluation:
    """Everything that `fadm eval run` needs; render: a renderer's usual options in place of the preset's.

    Raises FadmError before any work.
    """
    extractors = FeatureExtractors(options.groups, Path(options.arcface) if options.arcface else None)
    method = choose_method(model, pairs, options, device, extractors.watch, render)
    return Evaluation(method, pairs, ClipFrames(clips, extractors), extractors, options.groups)


def build_ablation(
    model: str,
    clips: Sequence[TrackedClip],
    pairs: PairList,
    options: AblationOptions,
    device: torch.device,
    render: RenderOptions | None = None,
) -> Evaluation:
    """One renderer in all its variants, each a stage of one run; render: as in `build_evaluation`."""
    extractors = FeatureExtractors(options.groups, Path(options.arcface) if options.arcface else None)
    kind = describe_weights(model).kind
    if kind != "fadm":
        raise OptionError(f"{model}: an ablation is of a renderer; these are weights of kind {kind}")
    renderer = load_renderer(model).to(device)
    variants = []
    for steps in options.step_counts:
        settings = _settle(model, options, steps, render)
        variants.append(Variant(f"steps-{steps}", renderer, settings))
    for condition in options.conditions:
        name = f"steps-{options.step_counts[-1]}{WITHOUT}{condition}"
        whole = variants[len(options.step_counts) - 1]
        if condition in ("appearance", "motion"):
            variants.append(Variant(name, switch_off(renderer, condition), whole.options))
            continue
        if not getattr(renderer.config, f"use_{condition}") and not (condition == "source" and renderer.config.repairs):
            raise OptionError(f"--without {condition}: {model} does not look at the {condition}")
        variants.append(Variant(name, renderer, whole.options, condition))
    method = _build_model(model, pairs, options, variants, device, extractors.watch)
    return Evaluation(method, pairs, ClipFrames(clips, extractors), extractors, options.groups)


def choose_method(
    model: str,
    pairs: PairList,
    options: RunOptions,
    device: torch.device,
    watch: Stopwatch,
    render: RenderOptions | None = None,
) -> Method:
    """The method of that name: geometric, unmoved, weights, or a folder of results. Raises FadmError."""
    method = _choose_plain_method(model, pairs, options, device, watch)
    if method is not None:
        idle = [name for name in RENDERING if getattr(options, name) != RunOptions.__dataclass_fields__[name].default]
        if idle:
            raise OptionError(f"--{idle[0]} {getattr(options, idle[0])}: {model} is no renderer; leave the option out")
        return method
    settings = _settle(model, options, options.steps, render)
    variants = [Variant("rendered", load_renderer(model).to(device), settings)]
    return _build_model(model, pairs, options, variants, device, watch)


def _choose_plain_method(
    model: str, pairs: PairList, options: RunOptions, device: torch.device, watch: Stopwatch
) -> Method | None:
    """Whatever is no renderer; None for weights of a renderer."""
    if pairs.protocol == TWO_FOLDERS and not Path(model).is_dir():
        raise OptionError(f"{model}: --protocol {TWO_FOLDERS} measures results that are there; give their folder")
    if model == UNMOVED:
        return UnmovedSource()
    if model == GEOMETRIC:
        return _build_model(model, pairs, options, [], device, watch)
    path = Path(model)
    if path.is_dir():
        return ResultFolder(path)
    if path.is_file() and path.suffix != ".safetensors":
        raise InputError(f"'{model}' is one file; give the folder that holds a result for each case")
    kind = describe_weights(model).kind
    if kind in NETWORK_KINDS:
        return _build_model(model, pairs, options, [], device, watch)
    if kind != "fadm":
        raise OptionError(f"{model}: weights of kind {kind} make no pictures; name a renderer or a coarse generator")
    return None


def _build_model(
    model: str,
    pairs: PairList,
    options: MakeOptions,
    variants: Sequence[Variant],
    device: torch.device,
    watch: Stopwatch,
) -> Method:
    """model: the renderer's name where there are variants, else the coarse generator's."""
    coarse = options.coarse if variants else model
    is_folder = Path(coarse).is_dir()
    over = Path(coarse).resolve().name if is_folder else coarse
    described: dict[str, Any] = {"method": model if coarse in (GEOMETRIC, model) else f"{model} over {over}"}
    weighty = {model} if is_folder else {model, coarse}
    described["weights"] = {name: describe_weights(name).sha256 for name in weighty - {GEOMETRIC}}
    described["variants"] = {variant.stage: vars(variant.options) for variant in variants}
    deca = _load_deca(model, device) if variants else None
    if is_folder:
        return EnhancedFolder(ResultFolder(Path(coarse)), Model(None, variants, described, watch, device, deca))
    if not pairs.has_truth:
        described["motion"] = _check_motion(options.motion, pairs)
    drive = choose_drive(coarse, options.motion, has_truth=pairs.has_truth)
    return Model(drive, variants, described, watch, device, deca)


def _check_motion(motion: str, pairs: PairList) -> str:
    """The motion of a cross-identity run. Raises OptionError for relative motion of single pictures."""
    if motion != "absolute" and all(len(case.driving_frames) == 1 for case in pairs.cases):
        raise OptionError(f"--motion {motion}: single pictures show no motion of their own; give absolute")
    return motion


def _settle(model: str, options: MakeOptions, steps: int | None, render: RenderOptions | None) -> RenderOptions:
    """How a renderer renders: its usual options with what was asked for. Raises OptionError for contradictions."""
    assert isinstance(options, DrawOptions)
    asked: dict[str, Any] = {"sampler": options.sampler, "eta": options.eta, "strength": options.strength}
    refine = RefineOptions(renderer=model, preset=options.preset, steps=steps, seed=options.seed, **asked)
    check_refinement(refine)
    if render is None:
        return render_options(refine)
    given = {name: value for name, value in asked.items() if value is not None}
    return replace(render, seed=options.seed, num_steps=steps or render.num_steps, **given)


def _load_deca(model: str, device: torch.device) -> DECA | None:
    """DECA for a renderer that was trained with its attributes."""
    return load_deca().to(device) if describe_weights(model).attributes == "deca" else None
