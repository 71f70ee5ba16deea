"""Methods behind one protocol: what makes the frames of a case, stage by stage, from weights or from nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.animation.refiner import read_deca
from fadm.attributes.deca import DECA
from fadm.data.pairs.store import CoarsePair, Face
from fadm.evaluation.driving import Drive
from fadm.evaluation.features import ClipFrames, Stopwatch
from fadm.evaluation.pairs import Case
from fadm.face.segmentation import segment_people
from fadm.media.crop import to_pixels, to_tensor
from fadm.rendering.conditions import inference_conditions
from fadm.rendering.options import RenderOptions
from fadm.rendering.renderer import DiffusionRenderer

Pixels = NDArray[np.uint8]

MID_GREY = 0.5
WITHOUT = "-without-"  # in a stage's name, before the condition that is switched off


@dataclass
class Prediction:
    """The frames (S, S, 3) of one case by stage; notes: a kind and a sentence on what was not as expected."""

    pictures: dict[str, list[Pixels]]
    notes: list[tuple[str, str]] = field(default_factory=list)


class Method(Protocol):
    """Makes the results of cases; description: what a run is told apart by, as JSON knows it."""

    stages: tuple[str, ...]
    description: dict[str, Any]

    def make(self, cases: Sequence[Case], frames: ClipFrames) -> Iterator[Prediction]:
        """Results of cases that share their source frame, in turn."""

    def find_notes(self, cases: Sequence[Case]) -> list[tuple[str, str]]:
        """What is to be said of the results as a whole, before any is read."""


class UnmovedSource:
    """The source itself, whatever the driver does: what any method has to beat."""

    stages: tuple[str, ...] = ("source",)

    def __init__(self) -> None:
        self.description: dict[str, Any] = {"method": "unmoved"}

    def make(self, cases: Sequence[Case], frames: ClipFrames) -> Iterator[Prediction]:
        """See `Method`."""
        for case in cases:
            source = frames.look(case.source_clip, case.source_frame).pixels
            yield Prediction({"source": [source] * len(case.driving_frames)})

    def find_notes(self, cases: Sequence[Case]) -> list[tuple[str, str]]:
        """See `Method`."""
        return []


@dataclass(frozen=True)
class Variant:
    """One way of rendering the coarse frames; hidden: the condition that is replaced, if one is.

    `source` by mid grey, `person` by nobody.
    """

    stage: str
    renderer: DiffusionRenderer
    options: RenderOptions
    hidden: str = ""


class Model:
    """A coarse generator and any number of ways to render its frames again.

    drive: none where coarse frames are only handed to `render`. deca: reads the renderer's attributes where these are
    not the landmark model's.
    """

    def __init__(
        self,
        drive: Drive | None,
        variants: Sequence[Variant],
        description: dict[str, Any],
        watch: Stopwatch,
        device: torch.device,
        deca: DECA | None = None,
    ) -> None:
        self.stages = ("coarse", *(variant.stage for variant in variants))
        self.description = description
        self._drive, self._variants, self._deca = drive, tuple(variants), deca
        self._watch, self._device = watch, device

    def make(self, cases: Sequence[Case], frames: ClipFrames) -> Iterator[Prediction]:
        """See `Method`."""
        assert self._drive is not None
        source = frames.face(cases[0].source_clip, cases[0].source_frame)
        pairs = self._drive(source, cases, frames)
        for case in cases:
            drawn = []
            for _ in case.driving_frames:
                with self._watch.time("coarse"):
                    drawn.append(next(pairs))
            yield self.render(case, source, drawn, frames)

    def render(self, case: Case, source: Face, drawn: Sequence[CoarsePair], frames: ClipFrames) -> Prediction:
        """The first coarse frames of a case, and what each variant makes of them."""
        pictures = {"coarse": [pair.coarse for pair in drawn]}
        for variant in self._variants:
            with self._watch.time(variant.stage):
                pictures[variant.stage] = list(self._render(case, source, drawn, frames, variant))
        return Prediction(pictures)

    def find_notes(self, cases: Sequence[Case]) -> list[tuple[str, str]]:
        """See `Method`."""
        return []

    def _render(
        self, case: Case, source: Face, drawn: Sequence[CoarsePair], frames: ClipFrames, variant: Variant
    ) -> Iterator[Pixels]:
        """Each frame by itself, with the noise of its number: no kill and no batch changes it."""
        first = int(case.name) if case.name.isdecimal() else 0  # single pictures have noise of their own
        picture = to_tensor(source.pixels)
        shown = torch.full_like(picture, MID_GREY) if variant.hidden == "source" else picture
        for index, pair in enumerate(drawn):
            coarse = to_tensor(pair.coarse)
            own, driving = self._attributes(case, index, picture, pair, frames, variant.options)
            parts = [coarse, own, driving, shown]
            if variant.renderer.config.use_person:
                person = segment_people(torch.cat([picture, coarse])).transpose(0, 1)  # (1, 2, S, S)
                parts.append(torch.zeros_like(person) if variant.hidden == "person" else person)
            conditions = inference_conditions(*(part.to(self._device) for part in parts))
            rendered = variant.renderer.render(conditions, variant.options, first_frame=first + index)
            yield to_pixels(rendered.pictures)

    def _attributes(
        self, case: Case, index: int, source: Tensor, pair: CoarsePair, frames: ClipFrames, options: RenderOptions
    ) -> tuple[Tensor, Tensor]:
        """Of the source and of the driver, (1, 56) each, of the kind that the renderer was trained with."""
        if self._deca is None:
            own, driving = (torch.from_numpy(a)[None] for a in (pair.attributes_source, pair.attributes_driving))
            return own, driving
        seen = to_tensor(pair.coarse)
        if options.attributes_from == "driving":
            seen = frames.look(case.driving_clip, case.driving_frames[index]).picture
        device = self._device
        return read_deca(self._deca, source.to(device)), read_deca(self._deca, seen.to(device))


def switch_off(renderer: DiffusionRenderer, condition: str) -> DiffusionRenderer:
    """The same weights with a condition's features set to zero: appearance or motion."""
    config = renderer.config
    is_off: dict[str, Any] = {f"use_{condition}": False}
    conditioner = replace(config.conditioner, **is_off)
    changed = DiffusionRenderer(replace(config, conditioner=conditioner))
    changed.load_state_dict(renderer.state_dict())
    return changed.to(next(renderer.parameters()).device).eval()
