"""Blending a rendered square into its picture, and placing pictures side by side."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.media.crop import Square, resize_pixels

Pixels = NDArray[np.uint8]

FEATHER = 0.06  # width of the soft border of a pasted square, in lengths of its side


@lru_cache(maxsize=4)  # one for each size of square that a video has, not one for each of its frames
def feather_mask(size: int) -> Tensor:
    """Make a mask that is 1 inside and falls smoothly to 0 at the border of a square.

    Args:
        size: Side of the square in pixels.

    Returns:
        The mask (1, 1, size, size).
    """
    distance = torch.minimum(torch.arange(size) + 0.5, size - torch.arange(size) - 0.5) / (FEATHER * size)
    ramp = distance.clamp(0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return (ramp[:, None] * ramp)[None, None]


def paste_square(picture: Pixels, square: Square, rendered: Tensor, mask: Tensor) -> Pixels:
    """Blend a rendered window into a copy of a picture.

    Args:
        picture: uint8 (H, W, 3).
        square: The window of side S; its parts beyond the picture are left out.
        rendered: The new content (1, 3, S, S) in [0, 1].
        mask: Weight of the new content (1, 1, S, S) in [0, 1].

    Returns:
        The blended picture, uint8 (H, W, 3).
    """
    height, width = picture.shape[:2]
    top, bottom = max(square.top, 0), min(square.top + square.side, height)
    left, right = max(square.left, 0), min(square.left + square.side, width)
    rows, columns = (
        slice(top - square.top, bottom - square.top),
        slice(left - square.left, right - square.left),
    )
    result = picture.copy()
    old = torch.from_numpy(result[top:bottom, left:right]).permute(2, 0, 1).float()
    new = torch.lerp(old, 255 * rendered[0, :, rows, columns].cpu().clamp(0, 1), mask[0, :, rows, columns])
    result[top:bottom, left:right] = new.round().byte().permute(1, 2, 0).numpy()
    return result


def place_beside(pictures: list[Pixels], height: int) -> Pixels:
    """Scale pictures to one height and place them side by side.

    Args:
        pictures: uint8 (H, W, 3) each, of any sizes.
        height: Height of the result in pixels.

    Returns:
        uint8 (height, W, 3); each picture in it has an even width.
    """
    scaled = []
    for pixels in pictures:
        width = max(2, 2 * round(pixels.shape[1] * height / pixels.shape[0] / 2))
        is_fitting = pixels.shape[:2] == (height, width)
        scaled.append(pixels if is_fitting else resize_pixels(pixels, width, height))
    return np.concatenate(scaled, axis=1)
