"""The evaluated methods: they make the frames of a case, stage by stage, by the same path as animation."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fadm.animation.animator import Animator
from fadm.animation.build import Networks, build_refiner, sees_driver
from fadm.animation.frames import compose, make_frames, set_back, share_work, view_video
from fadm.animation.refiner import Refiner
from fadm.attributes.motion import Motion
from fadm.coarse.generators import DrawnFrame
from fadm.coarse.source import PreparedSource
from fadm.data.clips import open_pictures
from fadm.errors import FaceError
from fadm.evaluation.clip_frames import ClipFrames
from fadm.evaluation.features import Stopwatch
from fadm.evaluation.pairs import Case
from fadm.evaluation.prediction import Prediction
from fadm.evaluation.result_folder import ResultFolder
from fadm.options import AnimateOptions, EnhanceOptions, SourceOptions
from fadm.rendering.renderer import DiffusionRenderer

Pixels = NDArray[np.uint8]
Job = TypeVar("Job")

COARSE = "coarse"
WITHOUT = "-without-"  # in a stage's name, before the condition that is switched off
NO_FACE = "no face"


class UnmovedSource:
    """The baseline that repeats the source and ignores the driver. See `Method`."""

    stages: tuple[str, ...] = ("source",)

    def __init__(self) -> None:
        """Describe the method."""
        self.description: dict[str, Any] = {"method": "unmoved"}

    def predict(self, case: Case, frames: ClipFrames) -> Prediction:
        """See `Method`."""
        source = frames.features(case.source_clip, case.source_frame).pixels
        return Prediction({"source": [source] * len(case.driving_frames)})

    def find_notes(self, cases: Sequence[Case]) -> list[tuple[str, str]]:
        """See `Method`."""
        return []


@dataclass(frozen=True)
class Variant:
    """One way of rendering the coarse frames.

    Attributes:
        stage: Name of its frames' stage.
        networks: Renderer, its attributes' network, and how it renders.
        hidden: Condition that is replaced, if one is (`ConditionBuilder`).
    """

    stage: str
    networks: Networks
    hidden: str = ""


class AnimatedClips:
    """Sources animated as by `fadm animate`, without a renderer and with each variant. See `Method`."""

    def __init__(
        self,
        options: AnimateOptions,
        networks: Networks,
        variants: Sequence[Variant],
        description: dict[str, Any],
        animator: Animator,
        watch: Stopwatch,
    ) -> None:
        """Keep the parts.

        Args:
            options: The options of every animation but its size and first frame (`clip_options`).
            networks: Its coarse generator.
            variants: Ways to render its frames.
            description: See `Method`.
            animator: Animates; its tracker knows the clips' landmarks (`ClipFrames.faces`).
            watch: Times each stage.
        """
        self.stages = (COARSE, *(variant.stage for variant in variants))
        self.description = description
        self._options, self._networks, self._variants = options, networks, tuple(variants)
        self._animator, self._watch = animator, watch

    def predict(self, case: Case, frames: ClipFrames) -> Prediction:
        """See `Method`; the steps of `Animator.animate`, with every stage kept."""
        animator, source = self._animator, frames.source(case)
        options = replace(self._options, size=len(source), first_frame=first_frame(case))
        with self._watch.time("preparation"):
            prepared = animator.prepare(source, options)
            driver = frames.driver(case)
            anchored = animator.read_driver(prepared, driver, options).anchored
            is_seen = any(sees_driver(n) for n in (self._networks, *(v.networks for v in self._variants)))
            animation, jobs = animator.follow(self._networks, prepared, anchored, options, driver if is_seen else None)
        refiners = build_refiners(animator, self._variants, prepared, anchored.motion, case, is_animation=True)
        pictures = make_stages(
            jobs,
            lambda job: animation.draw(*job),
            lambda drawn: compose(prepared, drawn),
            refiners,
            self._watch,
            share_work(animation, [*refiners.values()]),
        )
        return Prediction(pictures)

    def find_notes(self, cases: Sequence[Case]) -> list[tuple[str, str]]:
        """See `Method`."""
        return []


class EnhancedFolder:
    """Frames of another tool, rendered again as by `fadm enhance` with each variant. See `Method`."""

    def __init__(
        self,
        folder: ResultFolder,
        options: EnhanceOptions,
        variants: Sequence[Variant],
        description: dict[str, Any],
        animator: Animator,
        watch: Stopwatch,
    ) -> None:
        """Keep the parts.

        Args:
            folder: The other tool's results.
            options: The options of every enhancement.
            variants: Ways to render the frames.
            description: See `Method`.
            animator: Enhances; its tracker knows the clips' landmarks (`ClipFrames.faces`).
            watch: Times each stage.
        """
        self.stages = (COARSE, *(variant.stage for variant in variants))
        self.description: dict[str, Any] = folder.description | description
        self._folder, self._options, self._variants = folder, options, tuple(variants)
        self._animator, self._watch = animator, watch

    def predict(self, case: Case, frames: ClipFrames) -> Prediction:
        """See `Method`; the steps of `enhance_frames`, with every stage kept."""
        given, animator = self._folder.predict(case, frames), self._animator
        pictures = given.pictures["result"]
        prediction = Prediction(dict.fromkeys(self.stages, pictures), given.notes)
        if not pictures:
            return prediction
        source = frames.source(case)
        portrait = animator.prepare(source, SourceOptions(window=self._options.window))
        height, width = pictures[0].shape[:2]
        video = open_pictures(case.name, [lambda p=p: p for p in pictures], (width, height))  # type: ignore[misc]
        try:
            motion, _ = animator.read_motion(video, self._options)
        except FaceError as error:
            prediction.notes.append((NO_FACE, f"{error}; its frames are left unchanged"))
            return prediction
        refiners = build_refiners(animator, self._variants, portrait, motion, case, is_animation=False)
        draw = view_video(animator.model, video, motion, is_whole=portrait.is_whole)
        shares = share_work(None, [*refiners.values()])
        prediction.pictures = make_stages(enumerate(video), draw, set_back, refiners, self._watch, shares)
        return prediction

    def find_notes(self, cases: Sequence[Case]) -> list[tuple[str, str]]:
        """See `Method`. Raises InputError when no result has the name of a case."""
        return self._folder.find_notes(cases)


def first_frame(case: Case) -> int:
    """Choose the number of a case's first frame, which gives single pictures different noise.

    Args:
        case: The case.

    Returns:
        The number of a numbered case, else 0.
    """
    return int(case.name) if case.name.isdecimal() else 0


def build_refiners(
    animator: Animator,
    variants: Iterable[Variant],
    portrait: PreparedSource,
    motion: Motion,
    case: Case,
    *,
    is_animation: bool,
) -> dict[str, Refiner]:
    """Build the renderer of each variant for one case.

    Args:
        animator: Its face model and device are used.
        variants: The variants.
        portrait: The source.
        motion: The driver's motion, or the one read from the frames.
        case: The case.
        is_animation: Whether the frames are made from the motion.

    Returns:
        Refiners by stage.
    """
    refiners = {}
    for variant in variants:
        refiner = build_refiner(
            variant.networks,
            animator.model,
            portrait,
            motion,
            animator.device,
            is_animation=is_animation,
            first_frame=first_frame(case),
            hidden=variant.hidden,
        )
        assert refiner is not None  # a variant has a renderer
        refiners[variant.stage] = refiner
    return refiners


def make_stages(
    jobs: Iterable[Job],
    draw: Callable[[Job], DrawnFrame],
    finish: Callable[[DrawnFrame], Pixels],
    refiners: dict[str, Refiner],
    watch: Stopwatch,
    shares: tuple[int, int],
) -> dict[str, list[Pixels]]:
    """Make the frames of a case as animation does, and keep each stage of them.

    Args:
        jobs: One for each frame.
        draw: Draws the coarse frame of a job.
        finish: Makes the picture of a frame.
        refiners: Renderers by stage.
        watch: Times each stage.
        shares: Threads, and frames that are made together, as `share_work` gives them.

    Returns:
        Pictures (S, S, 3) uint8 by stage, the coarse ones first.
    """

    def draw_timed(job: Job) -> DrawnFrame:
        with watch.time(COARSE):
            return draw(job)

    def finish_all(frames: list[DrawnFrame]) -> list[dict[str, Pixels]]:
        made = {COARSE: [finish(drawn) for drawn in frames]}
        for stage, refiner in refiners.items():
            with watch.time(stage):
                made[stage] = [finish(drawn) for drawn in refiner.refine(frames)]
        return [{stage: pictures[i] for stage, pictures in made.items()} for i in range(len(frames))]

    workers, batch = shares
    rows = [*make_frames(jobs, draw_timed, finish_all, workers=workers, batch=batch)]
    return {stage: [row[stage] for row in rows] for stage in (COARSE, *refiners)}


def switch_off(renderer: DiffusionRenderer, condition: str) -> DiffusionRenderer:
    """Set the features of a condition to zero.

    Args:
        renderer: The renderer.
        condition: `appearance` or `motion`.

    Returns:
        A renderer with the same weights that does not use the condition.
    """
    config = renderer.config
    is_off: dict[str, Any] = {f"use_{condition}": False}
    conditioner = replace(config.conditioner, **is_off)
    changed = DiffusionRenderer(replace(config, conditioner=conditioner))
    changed.load_state_dict(renderer.state_dict())
    return changed.to(next(renderer.parameters()).device).eval()
