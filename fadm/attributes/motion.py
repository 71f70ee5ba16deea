"""A driver's motion: attributes over time, extracted from a video once to drive any source."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Self

import torch
from torch import Tensor

from fadm.attributes.face_attributes import FaceAttributes
from fadm.errors import InputError
from fadm.media.frames import make_range


@dataclass(frozen=True)
class Motion:
    """Attributes of one face in T frames of S shots.

    Attributes:
        attributes: Expression, pose, camera and gaze of each frame (T).
        is_tracked: Whether a frame shows the face (T,) bool; attributes of other frames are undefined.
        shot: Shot of each frame (T,) int64, from 0.
        identity: Identity coefficients of the face in each shot (S, I).
        pts: Times of the frames (T,) int64, in units of `time_base`.
        time_base: Unit of `pts` in seconds.
        rate: Average frames per second.
        blendshapes: Coefficients of each frame (T, 52) by `BLENDSHAPES`, 0 at rest and 1 for the full movement; None
            where neither the tracker nor the file gave any.
    """

    attributes: FaceAttributes
    is_tracked: Tensor
    shot: Tensor
    identity: Tensor
    pts: Tensor
    time_base: Fraction
    rate: Fraction
    blendshapes: Tensor | None = None

    def __len__(self) -> int:
        return len(self.pts)

    def __getitem__(self, frames: slice) -> Self:
        """Select a range of frames."""
        return replace(
            self,
            attributes=self.attributes[frames],
            is_tracked=self.is_tracked[frames],
            shot=self.shot[frames],
            pts=self.pts[frames],
            blendshapes=None if self.blendshapes is None else self.blendshapes[frames],
        )

    def between(self, start: float | None, end: float | None) -> Self:
        """Cut out a range of time; times of the result start at 0.

        Args:
            start: Start of the range in seconds; None is the motion's.
            end: End of the range in seconds, exclusive; None is the motion's.

        Returns:
            The motion of these frames.

        Raises:
            OptionError: The range is empty or negative.
            InputError: The range holds no frame.
        """
        kept = make_range(start, end)
        is_kept = self.pts >= math.ceil(kept.start / self.time_base)
        if kept.end is not None:
            is_kept &= self.pts < math.ceil(kept.end / self.time_base)
        rows = torch.nonzero(is_kept)[:, 0]
        if not len(rows):
            last = float(int(self.pts[-1]) * self.time_base)
            raise InputError(
                f"the motion has no frame from {float(kept.start):g} s on, its last one is at {last:g} s; "
                "choose a range within it"
            )
        part = self[slice(int(rows[0]), int(rows[-1]) + 1)]
        return replace(part, pts=part.pts - part.pts[0])


def make_still_motion(faces: Sequence[FaceAttributes], identity: Tensor) -> Motion:
    """Make a motion of one shot from the faces of one person, at 25 frames per second.

    Args:
        faces: Attributes of each frame, one face each.
        identity: The person's identity coefficients (1, I).

    Returns:
        The motion.
    """
    rows = [torch.cat([getattr(face, f.name) for face in faces]) for f in fields(FaceAttributes)]
    count = len(faces)
    return Motion(
        attributes=FaceAttributes(*rows),
        is_tracked=torch.ones(count, dtype=torch.bool),
        shot=torch.zeros(count, dtype=torch.int64),
        identity=identity,
        pts=torch.arange(count),
        time_base=Fraction(1, 25),
        rate=Fraction(25),
    )
