"""The attributes of a face in a frame: the interface between trackers and everything that is driven."""

from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

NUM_EXPRESSION = 50


@dataclass(frozen=True)
class FaceAttributes:
    """The released attributes (expression, pose) and what a picture needs beside them, for B faces.

    Attributes:
        expression: Coefficients of the expression basis (B, 50), in standard deviations.
        pose: Head rotation, then jaw rotation relative to the head (B, 6), each axis-angle in radians.
        camera: Scale in pixels per model unit, then x and y of the model's origin in pixels (B, 3).
        gaze: Shift of the right, then the left iris from its place between the corners of the eye (B, 4), x and y
            each, in model units.
        lids: How much wider the right, then the left eye is open than by the expression (B, 2), in model units; a
            wink, which the expression hardly holds, is here.
    """

    expression: Tensor
    pose: Tensor
    camera: Tensor
    gaze: Tensor
    lids: Tensor

    @property
    def head(self) -> Tensor:
        """Head rotation (B, 3), axis-angle in radians."""
        return self.pose[:, :3]

    @property
    def jaw(self) -> Tensor:
        """Jaw rotation (B, 3) relative to the head, axis-angle in radians."""
        return self.pose[:, 3:]

    @property
    def vector(self) -> Tensor:
        """Expression, then pose (B, 56), the input of the renderer's conditioner (paper, section 3.2)."""
        return torch.cat([self.expression, self.pose], dim=1)

    def __len__(self) -> int:
        return len(self.expression)

    def __getitem__(self, index: slice | Tensor | list[int]) -> Self:
        """Select some of the faces; the batch dimension stays.

        Args:
            index: Rows to select.

        Returns:
            Their attributes.
        """
        return type(self)(*(getattr(self, f.name)[index] for f in fields(self)))
