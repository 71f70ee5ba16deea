"""Blending a rendered square into its picture, and placing pictures side by side."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.media.crop import Square, resize_pixels

Pixels = NDArray[np.uint8]

OPAQUE = 255  # alpha
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
        picture: uint8 (H, W, C).
        square: The window of side S; its parts beyond the picture are left out.
        rendered: The new content (1, C, S, S) in [0, 1].
        mask: Weight of the new content (1, 1, S, S) in [0, 1].

    Returns:
        The blended picture, uint8 (H, W, C).
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


def take_off_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Find the colours that give a picture over white; fully transparent places stay white.

    Pixels and alpha that went through the same linear steps (warped, resized, blended) give the colours that alpha
    weighted in these steps, so that no white is left at the edges.

    Args:
        pixels: The picture over white, uint8 (H, W, 3).
        alpha: Its alpha, uint8 (H, W, 1).

    Returns:
        Colours and alpha, uint8 (H, W, 4).
    """
    result = np.concatenate([pixels, alpha], axis=2)
    is_mixed = (alpha > 0) & (alpha < OPAQUE)
    share = result[is_mixed[..., 0]].astype(np.float32)
    share[:, :3] = OPAQUE - (OPAQUE - share[:, :3]) * OPAQUE / share[:, 3:]
    result[is_mixed[..., 0]] = share.clip(0, OPAQUE).round()
    return result


def place_beside(pictures: list[Pixels], height: int) -> Pixels:
    """Scale pictures to one height and place them side by side.

    Args:
        pictures: uint8 (H, W, 3) each, or (H, W, 4) with alpha, of any sizes.
        height: Height of the result in pixels.

    Returns:
        uint8 (height, W, 3), or (height, W, 4) if any has alpha; each picture in it has an even width.
    """
    scaled = []
    has_alpha = any(pixels.shape[2] > 3 for pixels in pictures)
    for pixels in pictures:
        if has_alpha and pixels.shape[2] == 3:
            pixels = np.dstack([pixels, np.full_like(pixels[..., :1], OPAQUE)])
        width = max(2, 2 * round(pixels.shape[1] * height / pixels.shape[0] / 2))
        is_fitting = pixels.shape[:2] == (height, width)
        scaled.append(pixels if is_fitting else resize_pixels(pixels, width, height))
    return np.concatenate(scaled, axis=1)
