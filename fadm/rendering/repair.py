"""How a renderer repairs a coarse frame: it moves pixels, copies others from the source, and corrects colours.

Moved and copied pixels keep detail that a small network could not draw, and work at any resolution.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

CERTAINLY_MOVED = 0.25  # difference of colours in [0, 1] from which a pixel counts as moved


@dataclass(frozen=True)
class Repair:
    """Changes to B pictures.

    Attributes:
        colors: Colours (B, 3, H, W) that are added at the end.
        mask: Share (B, 1, H, W) of each pixel that is copied from the second picture.
        shift: Offset (B, 2, h, w), right and down, of the place from which each pixel is moved, in units of W / w and
            H / h.
    """

    colors: Tensor
    mask: Tensor
    shift: Tensor

    def __getitem__(self, index: slice) -> "Repair":
        """Select some of the pictures' repairs."""
        return Repair(self.colors[index], self.mask[index], self.shift[index])


def count_channels(patch: int) -> int:
    """Count the output channels of a network that repairs: 3 colours and a mask for each pixel, one shift (x, y).

    Args:
        patch: Side of a patch in pixels.

    Returns:
        Channels of a patch.
    """
    return 4 * patch**2 + 2


def limit_source_mask(mask: Tensor, person: Tensor, picture: Tensor, other: Tensor) -> Tensor:
    """Limit what is copied from the source: not a person who has moved, nor what this person now hides.

    Where the pictures agree nothing has moved; where they differ by `CERTAINLY_MOVED` everything has.

    Args:
        mask: Share (B, 1, H, W) of each pixel that would be copied.
        person: Probability (B, 2, H, W) of the person in the source and in the picture.
        picture: Pictures (B, 3, H, W) that are repaired.
        other: Source pictures (B, 3, H, W).

    Returns:
        The limited mask (B, 1, H, W).
    """
    difference = (other - picture).abs().amax(1, keepdim=True)
    moved = (difference / CERTAINLY_MOVED).clamp(max=1) * person.amax(1, keepdim=True)
    return mask * (1 - moved)


def read_repair(output: Tensor, patch: int, scale: float) -> Repair:
    """Convert a network's output to a repair; zeros change nothing.

    Args:
        output: Channels (B, 4 patch^2 + 2, H / patch, W / patch): colours times `scale`, mask, and shift in patches.
        patch: Side of a patch in pixels.
        scale: Factor of the colours.

    Returns:
        The repair of pictures (B, 3, H, W).
    """
    colors, mask, shift = output.float().split((3 * patch**2, patch**2, 2), dim=1)
    return Repair(F.pixel_shuffle(colors, patch) / scale, F.pixel_shuffle(mask, patch), shift)


def apply_repair(repair: Repair, picture: Tensor, other: Tensor) -> Tensor:
    """Repair pictures, at any resolution.

    Args:
        repair: The repair, at its own resolution.
        picture: Pictures (B, 3, H, W) that are repaired.
        other: Pictures (B, 3, H, W) from which pixels are copied.

    Returns:
        Repaired pictures (B, 3, H, W), not clamped.
    """
    size = (picture.shape[2], picture.shape[3])
    moved = move_pixels(picture, repair.shift)
    return moved + resize(repair.mask, size) * (other - moved) + resize(repair.colors, size)


def resize(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a picture, antialiased, by bicubic interpolation.

    Args:
        picture: Pictures (B, C, H, W).
        size: New height and width in pixels.

    Returns:
        Pictures (B, C, *size); the same tensor where the size does not change.
    """
    if picture.shape[2:] == size:
        return picture
    return F.interpolate(picture, size=size, mode="bicubic", align_corners=False, antialias=True)


def move_pixels(picture: Tensor, shift: Tensor) -> Tensor:
    """Move pixels of a picture: a backward warp with repeated edges.

    Args:
        picture: Pictures (B, 3, H, W).
        shift: Offset (B, 2, h, w), right and down, of the place that each pixel shows, in units of W / w and H / h.

    Returns:
        Warped pictures (B, 3, H, W).
    """
    height, width = picture.shape[2:]
    rows, columns = shift.shape[2:]
    offset = F.interpolate(shift.contiguous(), size=(height, width), mode="bilinear", align_corners=False)
    x, y = ((torch.arange(side, device=shift.device) + 0.5) * (2 / side) - 1 for side in (width, height))
    places = [x + offset[:, 0] * (2 / columns), y[:, None] + offset[:, 1] * (2 / rows)]  # in -1..1, (B, H, W)
    grid = torch.stack(places, dim=-1)
    return F.grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=False)
