"""Coarse frames rendered again: attributes, conditions, the diffusion model, and its correction at full size."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from fadm.attributes.deca import DECA
from fadm.attributes.landmark_model import LandmarkModel
from fadm.attributes.motion import Motion
from fadm.conditioning.conditions import inference_conditions
from fadm.generators import NETWORK_SIZE, DrawnFrame
from fadm.media.compose import feather_mask
from fadm.media.crop import Square, cut_square
from fadm.renderer import DiffusionRenderer, RenderOptions


class AttributeReader(Protocol):
    """Says what the driving face does: expression 50, pose 6."""

    def read(self, drawn: DrawnFrame, coarse: Tensor) -> Tensor:
        """A frame and its coarse crop (1, 3, 256, 256) -> (1, 56)."""


@dataclass(frozen=True)
class TrackedAttributes:
    """The landmark model's, of the driver's tracked face."""

    motion: Motion

    def read(self, drawn: DrawnFrame, coarse: Tensor) -> Tensor:
        """See `AttributeReader`."""
        return self.motion.attributes[[drawn.index]].vector


@dataclass(frozen=True)
class MovedAttributes:
    """The landmark model's, of the landmarks that the coarse frame was given, else of the driver's tracked face.

    identity (1, I) of the source.
    """

    model: LandmarkModel
    identity: Tensor
    motion: Motion

    def read(self, drawn: DrawnFrame, coarse: Tensor) -> Tensor:
        """See `AttributeReader`."""
        if drawn.landmarks is None:
            return self.motion.attributes[[drawn.index]].vector
        return self.model.fit(drawn.landmarks[None], self.identity)[0].vector


@dataclass(frozen=True)
class DecaAttributes:
    """DECA's, of the driver's crop or of the coarse frame."""

    deca: DECA
    from_coarse: bool

    def read(self, drawn: DrawnFrame, coarse: Tensor) -> Tensor:
        """See `AttributeReader`."""
        if self.from_coarse:
            return read_deca(self.deca, coarse)
        assert drawn.driving is not None
        return read_deca(self.deca, drawn.driving.to(coarse.device))


@torch.inference_mode()
def read_deca(deca: DECA, crop: Tensor) -> Tensor:
    """DECA's expression and pose (B, 56) of face crops (B, 3, H, W) in 0..1."""
    return deca(crop).attributes


class Refiner:
    """Renders frames again and adds the correction to them at their own resolution.

    source: the source's crop (1, 3, 256, 256); attributes: its attributes (1, 56), of the same kind as the reader's.
    """

    def __init__(
        self,
        renderer: DiffusionRenderer,
        options: RenderOptions,
        source: Tensor,
        attributes: Tensor,
        reader: AttributeReader,
        device: torch.device,
    ) -> None:
        self._renderer, self._options, self._reader = renderer, options, reader
        self._source, self._attributes, self._device = source.to(device), attributes.to(device), device
        self._batch = 1 if device.type == "cpu" else 8  # frames in a batch are no faster on a CPU

    def refine(self, frames: Iterator[DrawnFrame]) -> Iterator[DrawnFrame]:
        """Yield the frames with their corrections, those without a face as they are."""
        while batch := list(islice(frames, self._batch)):
            for has_face, group in groupby(batch, lambda drawn: drawn.crop is not None):
                successive = list(group)
                yield from self._correct(successive) if has_face else successive

    def _correct(self, batch: list[DrawnFrame]) -> list[DrawnFrame]:
        """Correct successive frames: the noise of each is that of its number."""
        inner = [_crop_within(drawn) for drawn in batch]
        crops = [cut_square(d.view.to(self._device), i, NETWORK_SIZE) for d, i in zip(batch, inner, strict=True)]
        driving = [self._reader.read(drawn, crop) for drawn, crop in zip(batch, crops, strict=True)]
        coarse, attributes = torch.cat(crops), self._attributes.expand(len(batch), -1)
        source = self._source.expand(len(batch), -1, -1, -1)
        conditions = inference_conditions(coarse, attributes, torch.cat(driving).to(self._device), source)
        rendered = self._renderer.render(conditions, self._options, first_frame=batch[0].index)
        return [
            replace(drawn, view=blend_rendered(drawn.view, square, crop, picture, drawn.confidence))
            for drawn, square, crop, picture in zip(batch, inner, crops, rendered.split(1), strict=True)
        ]


def _crop_within(drawn: DrawnFrame) -> Square:
    """A frame's crop in the pixels of its view."""
    crop = drawn.crop
    assert crop is not None
    moved = Square(crop.left - drawn.window.left, crop.top - drawn.window.top, crop.side)
    return moved.scaled(drawn.view.shape[-1] / drawn.window.side)


def blend_rendered(view: Tensor, square: Square, crop: Tensor, rendered: Tensor, confidence: Tensor | None) -> Tensor:
    """Put what was rendered of a square of a view (1, 3, S, S) into it, at the view's resolution.

    crop, rendered (1, 3, h, h): the square as the renderer saw it and as it should be. Where the view is trusted
    their difference is added to it, so that its detail stays; where it is not (confidence (1, 1, S, S), 1 if it is
    unknown) the rendered picture takes its place, detail and all. Faded out inside the view.
    """
    side = square.side
    rows, columns = slice(square.top, square.top + side), slice(square.left, square.left + side)
    part = view[..., rows, columns]
    crop, rendered = (_enlarge(picture.to(view.device), side) for picture in (crop, rendered))
    change = rendered - crop
    if confidence is not None:
        change = torch.lerp(rendered - part, change, confidence[..., rows, columns])
    if side < view.shape[-1]:
        change = change * feather_mask(side).to(change)
    view = view.clone()
    view[..., rows, columns] += change
    return view.clamp(0, 1)


def _enlarge(picture: Tensor, side: int) -> Tensor:
    return F.interpolate(picture, size=(side, side), mode="bicubic", align_corners=False, antialias=True)
