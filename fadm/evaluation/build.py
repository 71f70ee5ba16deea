"""Builds an evaluation from the user's options: clips, pairs, and the method with its weights."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from fadm.animation.animator import Animator
from fadm.animation.build import load_networks
from fadm.animation.choices import NETWORK_KINDS, check_choices, check_refinement, choose_parts
from fadm.data.clips import clip_options
from fadm.data.shards import TrackedClip, find_shards, read_tracked_clips
from fadm.errors import InputError, OptionError
from fadm.evaluation.clip_frames import ClipFrames
from fadm.evaluation.evaluator import Evaluation
from fadm.evaluation.features import FeatureExtractors
from fadm.evaluation.methods import WITHOUT, AnimatedClips, EnhancedFolder, UnmovedSource, Variant, switch_off
from fadm.evaluation.options import TWO_FOLDERS, AblationOptions, DrawOptions, MakeOptions, RunOptions
from fadm.evaluation.pairs import PairList, check_pairs, draw_pairs, read_pairs
from fadm.evaluation.plain_clips import read_plain_clips
from fadm.evaluation.prediction import Method
from fadm.evaluation.result_folder import ResultFolder
from fadm.options import DEFAULT_CROP_SIZE, EnhanceOptions, RefineOptions
from fadm.progress import NO_PROGRESS, Progress
from fadm.rendering.options import RenderOptions
from fadm.weights.registry import describe_weights

GEOMETRIC, UNMOVED = "geometric", "unmoved"
RENDERING = ("coarse", "preset", "sampler", "steps", "eta", "strength")  # options of renderers alone


def choose_protocol(options: DrawOptions, given: Path | None) -> str:
    """Choose the protocol: that of the given pair list, else that of the options.

    Args:
        options: The user's choices.
        given: File of a pair list, if any.

    Returns:
        The protocol's name.

    Raises:
        OptionError: The options ask for another protocol than the pair list's.
        InputError: The file is no pair list.
    """
    if given is None:
        return options.protocol
    protocol = read_pairs(given).protocol
    if options.protocol not in (DrawOptions.protocol, protocol):
        raise OptionError(f"--protocol {options.protocol}: the pair list '{given}' is of {protocol}")
    return protocol


def read_clips(
    data: Sequence[Path], protocol: str = DrawOptions.protocol, progress: Progress = NO_PROGRESS
) -> list[TrackedClip]:
    """Read the clips of shards, or for the protocol two-folders those of plain folders.

    Args:
        data: Shards and folders of shards; plain folders for two-folders.
        protocol: The protocol.
        progress: Follows the work.

    Returns:
        The clips that have pictures.

    Raises:
        InputError: There is no shard or no clip, or a file is damaged.
    """
    if protocol == TWO_FOLDERS:
        return [clip for folder in data for clip in read_plain_clips(folder, progress)]
    try:
        shards = find_shards(data)
    except InputError as error:
        raise InputError(
            f"{error}; results and a plain folder of the expected pictures need --protocol {TWO_FOLDERS}"
        ) from error
    return [clip for clip in read_tracked_clips(shards) if clip.pictures]


def choose_pairs(clips: Sequence[TrackedClip], options: DrawOptions, given: Path | None) -> PairList:
    """Read the given pair list, or draw one.

    Args:
        clips: The clips.
        options: The user's choices.
        given: File of a pair list, if any.

    Returns:
        The pair list.

    Raises:
        OptionError: The pair list has another protocol or other clips.
        InputError: The file is no pair list, or no pairs can be drawn from the clips.
    """
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
    """Build everything that `fadm eval run` needs, before any work.

    Args:
        model: `geometric`, `unmoved`, weights by name or file, or a folder of results.
        clips: The clips.
        pairs: The cases.
        options: The user's choices.
        device: Where the networks compute.
        render: A renderer's default options in place of the preset's.

    Returns:
        The evaluation.

    Raises:
        FadmError: Choices contradict each other, or weights cannot be used.
    """
    method = _find_made(model, pairs)
    kind = "" if method is not None or model == GEOMETRIC else _kind_of(model, options)
    if kind not in ("", "fadm", *NETWORK_KINDS):
        raise OptionError(f"{model}: weights of kind {kind} make no pictures; name a renderer or a coarse generator")
    if kind != "fadm":
        unused = [name for name in RENDERING if getattr(options, name) != RunOptions.__dataclass_fields__[name].default]
        if unused:
            raise OptionError(
                f"--{unused[0]} {getattr(options, unused[0])}: {model} is no renderer; leave the option out"
            )
    extractors = _load_extractors(options)
    frames = ClipFrames(clips, extractors)
    if method is None:
        variants = [_make_variant("rendered", model, options, options.steps, device, render)] if kind == "fadm" else []
        method = _build_method(model, pairs, options, variants, frames, extractors, device)
    return Evaluation(method, pairs, frames, extractors, options.groups)


def build_ablation(
    model: str,
    clips: Sequence[TrackedClip],
    pairs: PairList,
    options: AblationOptions,
    device: torch.device,
    render: RenderOptions | None = None,
) -> Evaluation:
    """Build the evaluation of one renderer in all its variants, each a stage of one run.

    Args:
        model: The renderer's weights by name or file.
        clips: The clips.
        pairs: The cases.
        options: The user's choices.
        device: Where the networks compute.
        render: A renderer's default options in place of the preset's.

    Returns:
        The evaluation.

    Raises:
        FadmError: Choices contradict each other, or weights cannot be used.
    """
    kind = _kind_of(model, options)
    if kind != "fadm":
        raise OptionError(f"{model}: an ablation is of a renderer; these are weights of kind {kind}")
    extractors = _load_extractors(options)
    frames = ClipFrames(clips, extractors)
    variants = [_make_variant(f"steps-{steps}", model, options, steps, device, render) for steps in options.step_counts]
    whole = variants[-1]
    for condition in options.conditions:
        variants.append(_switch_off(model, whole, condition))
    method = _build_method(model, pairs, options, variants, frames, extractors, device)
    return Evaluation(method, pairs, frames, extractors, options.groups)


def _kind_of(model: str, options: MakeOptions) -> str:
    """The kind of the weights that are measured. Raises WeightsError for none, or refused terms."""
    return describe_weights(model, commercial=options.commercial).kind


def _load_extractors(options: RunOptions | AblationOptions) -> FeatureExtractors:
    """Load the networks of the metrics. Raises OptionError for one that states no terms, if they matter."""
    if options.commercial and options.arcface:
        raise OptionError(f"--commercial refuses --arcface {options.arcface}, which states no terms; leave one out")
    return FeatureExtractors(options.groups, Path(options.arcface) if options.arcface else None)


def _find_made(model: str, pairs: PairList) -> Method | None:
    """Find a method that computes no frames: the unmoved source or a folder of results; None for any other model."""
    path = Path(model)
    if pairs.protocol == TWO_FOLDERS and not path.is_dir():
        raise OptionError(f"{model}: --protocol {TWO_FOLDERS} measures results that are there; give their folder")
    if model == UNMOVED:
        return UnmovedSource()
    if path.is_dir():
        return ResultFolder(path)
    if path.is_file() and path.suffix != ".safetensors":
        raise InputError(f"'{model}' is one file; give the folder that holds a result for each case")
    return None


def _make_variant(
    stage: str,
    model: str,
    options: MakeOptions,
    steps: int | None,
    device: torch.device,
    render: RenderOptions | None,
) -> Variant:
    """Load a renderer with its default options and the user's choices. Raises OptionError for contradictions."""
    refine = _refine_options(model, options, steps)
    check_refinement(refine)
    networks = load_networks(refine, device)
    if render is not None:
        chosen = {"sampler": options.sampler, "eta": options.eta, "strength": options.strength, "num_steps": steps}
        given: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
        networks = replace(networks, render=replace(render, seed=refine.seed, **given))
    return Variant(stage, networks)


def _refine_options(model: str, options: MakeOptions, steps: int | None) -> RefineOptions:
    assert isinstance(options, DrawOptions)
    chosen: dict[str, Any] = {"sampler": options.sampler, "eta": options.eta, "strength": options.strength}
    parts = options.parts
    if options.coarse != GEOMETRIC:
        if parts not in ("auto", "none"):
            raise OptionError(f"--parts {parts}: mouth and eyes are known in geometric frames alone; leave it out")
        parts = "none"
    chosen |= {"parts": parts, "preset": options.preset, "commercial": options.commercial}
    return RefineOptions(renderer=model, steps=steps, seed=options.seed, **chosen)


def _switch_off(model: str, whole: Variant, condition: str) -> Variant:
    """Make the variant without a condition. Raises OptionError for a renderer that does not use it."""
    stage, networks = f"{whole.stage}{WITHOUT}{condition}", whole.networks
    assert networks.renderer is not None
    if condition in ("appearance", "motion"):
        return Variant(stage, replace(networks, renderer=switch_off(networks.renderer, condition)))
    if not getattr(networks.renderer.config, f"use_{condition}"):
        raise OptionError(f"--without {condition}: {model} is not conditioned on the {condition}")
    return Variant(stage, networks, condition)


def _build_method(
    model: str,
    pairs: PairList,
    options: MakeOptions,
    variants: Sequence[Variant],
    frames: ClipFrames,
    extractors: FeatureExtractors,
    device: torch.device,
) -> Method:
    """Build the method of a model: a renderer where there are variants, else a coarse generator."""
    coarse = options.coarse if variants else model
    is_folder = Path(coarse).is_dir()
    coarse_name = Path(coarse).resolve().name if is_folder else coarse
    description: dict[str, Any] = {"method": model if coarse in (GEOMETRIC, model) else f"{model} over {coarse_name}"}
    named = {model} if is_folder else {model, coarse}
    if variants:
        named.add(choose_parts(_refine_options(model, options, None)))
    description["weights"] = {name: describe_weights(name).sha256 for name in named - {GEOMETRIC, "none"}}
    description["variants"] = {variant.stage: vars(variant.networks.render) for variant in variants}
    animator = Animator(device=str(device), make_tracker=frames.faces.make_tracker, model=extractors.model)
    if is_folder:
        enhance = EnhanceOptions(window="picture", stills=True, smoothing=0.0)
        folder = ResultFolder(Path(coarse))
        return EnhancedFolder(folder, enhance, variants, description, animator, extractors.watch)
    if pairs.has_truth:
        motion: dict[str, Any] = {"placement": "clip"}
    else:
        description["motion"] = _check_motion(options.motion, pairs)
        motion = {"relative": options.motion != "absolute", "anchor": "first" if options.motion == "first" else "auto"}
    motion["commercial"] = options.commercial
    animate = clip_options(DEFAULT_CROP_SIZE, coarse=coarse, renderer="none", **motion)
    check_choices(animate, has_pictures=True)
    return AnimatedClips(animate, load_networks(animate, device), variants, description, animator, extractors.watch)


def _check_motion(motion: str, pairs: PairList) -> str:
    """Check the motion of a cross-identity run. Raises OptionError for relative motion of single pictures."""
    if motion != "absolute" and all(len(case.driving_frames) == 1 for case in pairs.cases):
        raise OptionError(f"--motion {motion}: single pictures show no motion of their own; give absolute")
    return motion
