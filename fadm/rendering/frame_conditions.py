"""From a drawn coarse frame to the conditions of the renderer: the only way to make them.

Animation and training pairs use the same conditions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from fadm.attributes.deca import DECA
from fadm.attributes.landmark_model import LandmarkModel
from fadm.attributes.motion import Motion
from fadm.coarse.generators import DrawnFrame
from fadm.coarse.geometric.flow import sample
from fadm.coarse.source import NETWORK_SIZE, PERSON_SIZE, PreparedSource
from fadm.face.segmentation import segment_people
from fadm.media.crop import Square, cut_square, to_tensor
from fadm.rendering.conditions import Conditions, inference_conditions

MID_GREY = 0.5


class AttributeReader(Protocol):
    """Reads what the driving face does: expression 50, pose 6."""

    def read(self, drawn: DrawnFrame, coarse: Tensor) -> Tensor:
        """Read a frame's attributes.

        Args:
            drawn: The frame.
            coarse: Its crop (1, 3, 256, 256) in [0, 1].

        Returns:
            Attributes (1, 56).
        """


@dataclass(frozen=True)
class TrackedAttributes:
    """The landmark model's attributes of the driver's tracked face; see `AttributeReader`.

    Attributes:
        motion: The driver's motion.
    """

    motion: Motion

    def read(self, drawn: DrawnFrame, coarse: Tensor) -> Tensor:
        """See `AttributeReader`."""
        return self.motion.attributes[[drawn.index]].vector


@dataclass(frozen=True)
class MovedAttributes:
    """The landmark model's attributes of the landmarks that a coarse frame was made for; see `AttributeReader`.

    Where a frame has no landmarks they are the driver's.

    Attributes:
        model: The face model.
        identity: The source's identity coefficients (1, I).
        motion: The driver's motion.
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
    """DECA's attributes of the driver's crop or of the coarse frame; see `AttributeReader`.

    Attributes:
        deca: The network.
        from_coarse: The attributes are the coarse frame's instead of the driver's.
    """

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
    """Read DECA's attributes.

    Args:
        deca: The network.
        crop: Face crops (B, 3, H, W) in [0, 1].

    Returns:
        Expression and pose (B, 56).
    """
    return deca(crop).attributes


class ConditionBuilder:
    """Builds the conditions of one source's frames."""

    def __init__(
        self,
        prepared: PreparedSource,
        attributes: Tensor,
        reader: AttributeReader,
        device: torch.device,
        *,
        size: int = NETWORK_SIZE,
        has_person: bool = False,
        hidden: str = "",
    ) -> None:
        """Keep what all frames of the source share.

        Args:
            prepared: The source.
            attributes: The source's attributes (1, 56), of the same kind as the reader's.
            reader: Reads the driving attributes.
            device: Where the conditions are made.
            size: Side of the conditions' pictures, pixels.
            has_person: Whether the conditions include the person masks.
            hidden: For ablations a condition that is replaced: `source` by mid grey, `person` by zeros.
        """
        self.device, self._reader, self._size, self._hidden = device, reader, size, hidden
        picture = to_tensor(prepared.picture).to(device)
        if hidden == "source":
            picture = torch.full_like(picture, MID_GREY)
        self._crop = lru_cache(maxsize=4)(lambda side: cut_square(picture, prepared.crop, side))
        self._attributes = attributes.to(device)
        self._person = _SourcePerson(prepared, size, device) if has_person else None

    def source(self, side: int) -> Tensor:
        """Give the source's crop.

        Args:
            side: Its side in pixels.

        Returns:
            The crop (1, 3, side, side) in [0, 1].
        """
        return self._crop(side)

    def build(self, frames: Sequence[DrawnFrame]) -> Conditions:
        """Build the conditions of frames.

        Args:
            frames: B frames with a face.

        Returns:
            Their conditions; each coarse frame is its own appearance.
        """
        views = [drawn.view.to(self.device) for drawn in frames]
        squares = [crop_within(drawn) for drawn in frames]
        crops = [cut_square(view, square, self._size) for view, square in zip(views, squares, strict=True)]
        driving = [self._reader.read(drawn, crop) for drawn, crop in zip(frames, crops, strict=True)]
        person: Tensor | None = None
        if self._person is not None:
            parts = zip(frames, views, squares, strict=True)
            person = torch.cat([self._person.beside(drawn.flow, view, square) for drawn, view, square in parts])
            person = torch.zeros_like(person) if self._hidden == "person" else person
        return inference_conditions(
            torch.cat(crops),
            self._attributes.expand(len(frames), -1),
            torch.cat(driving).to(self.device),
            self._crop(self._size).expand(len(frames), -1, -1, -1),
            person,
        )


def crop_within(drawn: DrawnFrame) -> Square:
    """Find a frame's crop in its view.

    Args:
        drawn: A frame with a face.

    Returns:
        The crop in pixels of the view.
    """
    crop = drawn.crop
    assert crop is not None
    return crop.within(drawn.window).scaled(drawn.view.shape[-1] / drawn.window.side)


class _SourcePerson:
    """Where the person is: in the source's crop, and in frames that were made from it."""

    def __init__(self, prepared: PreparedSource, size: int, device: torch.device) -> None:
        self._region, self._size = prepared.region, size
        self._mask = prepared.person.to(device)
        inner = prepared.crop.within(self._region).scaled(PERSON_SIZE / self._region.side)
        self._in_crop = cut_square(self._mask, inner, size)

    def beside(self, flow: Tensor | None, view: Tensor, square: Square) -> Tensor:
        """Probability of person (1, 2, size, size) in the source's crop and in a square of a view (1, 3, S, S).

        flow (1, S, S, 2): the place in the picture that each pixel of the view shows, by which the source's mask is
        carried over; without one the view itself is segmented.
        """
        if flow is None:
            side = view.shape[-1]
            mask = segment_people(cut_square(view, Square(0, 0, side), PERSON_SIZE))
            seen = cut_square(mask, square.scaled(PERSON_SIZE / side), self._size)
        else:
            place = cut_square(flow.permute(0, 3, 1, 2), square, self._size).permute(0, 2, 3, 1)
            corner = place.new_tensor([self._region.left, self._region.top])
            seen = sample(self._mask, (place - corner + 0.5) * (PERSON_SIZE / self._region.side) - 0.5)
        return torch.cat([self._in_crop, seen], dim=1)
