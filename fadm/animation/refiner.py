"""Coarse frames rendered again: attributes, conditions, the diffusion model, and its correction at full size."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, islice
from typing import Protocol

import torch
from torch import Tensor, nn

from fadm.attributes.deca import DECA
from fadm.attributes.landmark_model import LandmarkModel
from fadm.attributes.motion import Motion
from fadm.coarse.generators import NETWORK_SIZE, PERSON_SIZE, DrawnFrame
from fadm.coarse.geometric.flow import sample
from fadm.device import count_workers, map_ahead
from fadm.face.segmentation import segment_people
from fadm.media.compose import feather_mask
from fadm.media.crop import Square, cut_square
from fadm.rendering.conditions import inference_conditions
from fadm.rendering.options import RenderOptions
from fadm.rendering.renderer import DiffusionRenderer
from fadm.rendering.repair import Repair, apply_repair, resize

SMALL_NETWORK = 20_000_000  # parameters up to which frames are rendered in threads of their own


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
    """Renders frames again and repairs them at their own resolution.

    source: the source's picture (1, 3, H, W), the crop of it that corresponds to the frames' crops and the region
    around that; attributes: the source's (1, 56), of the same kind as the reader's.
    """

    def __init__(
        self,
        renderer: DiffusionRenderer,
        options: RenderOptions,
        source: tuple[Tensor, Square, Square],
        attributes: Tensor,
        reader: AttributeReader,
        device: torch.device,
    ) -> None:
        self._renderer, self._options, self._reader = renderer, options, reader
        self._device = device
        picture, (crop, region) = source[0].to(device), source[1:]
        self._source_at = lru_cache(maxsize=4)(lambda side: cut_square(picture, crop, side))  # (1, 3, side, side)
        self._person = SourcePerson(picture, crop, region) if renderer.config.use_person else None
        self._attributes = attributes.to(device)
        self._batch = 1 if device.type == "cpu" else 8  # frames in a batch are no faster on a CPU
        self._workers = _count_workers(renderer, device)

    def refine(self, frames: Iterator[DrawnFrame]) -> Iterator[DrawnFrame]:
        """Yield the frames with their corrections, those without a face as they are."""
        if self._workers > 1:
            yield from map_ahead(self._refine_alone, frames, self._workers)
            return
        while batch := list(islice(frames, self._batch)):
            for has_face, group in groupby(batch, lambda drawn: drawn.crop is not None):
                successive = list(group)
                yield from self._correct(successive) if has_face else successive

    def _refine_alone(self, drawn: DrawnFrame) -> DrawnFrame:
        return drawn if drawn.crop is None else self._correct([drawn])[0]

    def _correct(self, batch: list[DrawnFrame]) -> list[DrawnFrame]:
        """Correct successive frames: the noise of each is that of its number."""
        views = [drawn.view.to(self._device) for drawn in batch]
        inner = [_crop_within(drawn) for drawn in batch]
        crops = [cut_square(view, square, NETWORK_SIZE) for view, square in zip(views, inner, strict=True)]
        driving = [self._reader.read(drawn, crop) for drawn, crop in zip(batch, crops, strict=True)]
        coarse, attributes = torch.cat(crops), self._attributes.expand(len(batch), -1)
        source = self._source_at(NETWORK_SIZE).expand(len(batch), -1, -1, -1)
        person: Tensor | None = None
        if self._person is not None:
            parts = zip(batch, views, inner, strict=True)
            person = torch.cat([self._person.beside(drawn.flow, view, square) for drawn, view, square in parts])
        conditions = inference_conditions(coarse, attributes, torch.cat(driving).to(self._device), source, person)
        rendering = self._renderer.render(conditions, self._options, first_frame=batch[0].index)
        repaired = []
        for i, (drawn, view, square) in enumerate(zip(batch, views, inner, strict=True)):
            one = slice(i, i + 1)
            rendered, change = rendering.pictures[one], rendering.pictures[one] - coarse[one]
            if rendering.repair is not None:
                change = self._repair(view, square, rendering.repair[one])
            blended = blend_rendered(view, square, rendered, change, drawn.confidence)
            repaired.append(replace(drawn, view=blended.to(drawn.view.device)))
        return repaired

    def _repair(self, view: Tensor, square: Square, repair: Repair) -> Tensor:
        """The change of a square of a view (1, 3, S, S) by a repair, made with all the detail of view and source."""
        part = cut_square(view, square)
        return apply_repair(repair, part, self._source_at(square.side)) - part


def _count_workers(renderer: nn.Module, device: torch.device) -> int:
    """Frames that are rendered at once: a small network is faster in one thread for each frame than in all for one."""
    is_small = sum(parameter.numel() for parameter in renderer.parameters()) < SMALL_NETWORK
    return count_workers() if device.type == "cpu" and is_small else 1


def _crop_within(drawn: DrawnFrame) -> Square:
    """A frame's crop in the pixels of its view."""
    crop = drawn.crop
    assert crop is not None
    return crop.within(drawn.window).scaled(drawn.view.shape[-1] / drawn.window.side)


class SourcePerson:
    """Where the person is: in the source's crop, and in frames that were made from it.

    picture (1, 3, H, W); crop: the window that renderers see; region: the one around it that shows enough to tell.
    """

    def __init__(self, picture: Tensor, crop: Square, region: Square) -> None:
        self._region = region
        self._mask = segment_people(cut_square(picture, region, PERSON_SIZE))  # (1, 1, 256, 256)
        inner = crop.within(region).scaled(PERSON_SIZE / region.side)
        self._in_crop = cut_square(self._mask, inner, NETWORK_SIZE)

    def beside(self, flow: Tensor | None, view: Tensor, square: Square) -> Tensor:
        """Probability of person (1, 2, 256, 256) in the source's crop and in a square of a view (1, 3, S, S).

        flow (1, S, S, 2): the place in the picture that each pixel of the view shows; without one the view is searched.
        """
        if flow is None:
            side = view.shape[-1]
            mask = segment_people(cut_square(view, Square(0, 0, side), PERSON_SIZE))
            seen = cut_square(mask, square.scaled(PERSON_SIZE / side), NETWORK_SIZE)
        else:
            place = cut_square(flow.permute(0, 3, 1, 2), square, NETWORK_SIZE).permute(0, 2, 3, 1)
            corner = place.new_tensor([self._region.left, self._region.top])
            seen = sample(self._mask, (place - corner + 0.5) * (PERSON_SIZE / self._region.side) - 0.5)
        return torch.cat([self._in_crop, seen], dim=1)


def blend_rendered(view: Tensor, square: Square, rendered: Tensor, change: Tensor, confidence: Tensor | None) -> Tensor:
    """Put what was rendered of a square of a view (1, 3, S, S) into it, at the view's resolution.

    rendered (1, 3, h, h): the square as it should be; change, of that size or of the square's: what is to be added to
    the view. Where the view is trusted it is changed, so that its detail stays; where it is not (confidence
    (1, 1, S, S), 1 if it is unknown) the rendered picture takes its place, detail and all. Faded out inside the view.
    """
    size = (square.side, square.side)
    rows, columns = slice(square.top, square.top + square.side), slice(square.left, square.left + square.side)
    part, change = view[..., rows, columns], resize(change, size)
    if confidence is not None:
        confidence = confidence[..., rows, columns].to(view.device)
        change = torch.lerp(resize(rendered, size) - part, change, confidence)
    if square.side < view.shape[-1]:
        change = change * feather_mask(square.side).to(change)
    view = view.clone()
    view[..., rows, columns] += change
    return view.clamp(0, 1)
