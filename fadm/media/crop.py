"""Square windows of a picture: around a face, cut out at any size, and the way back."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

BLUR_CELLS = 24  # cells along each side of a window that are left of what is fully blurred
BLUR_REACH = 0.03  # distance beyond the picture at which it is, in sides of the window


@dataclass(frozen=True)
class Square:
    """A window in whole pixels of a picture; it may reach beyond the picture's edges.

    Attributes:
        left: Column of its first pixel.
        top: Row of its first pixel.
        side: Its width and height.
    """

    left: int
    top: int
    side: int

    def scaled(self, factor: float) -> "Square":
        """Scale the window along with its picture.

        Args:
            factor: Ratio of the new size of the picture to the old one.

        Returns:
            The same window in the resized picture, rounded to whole pixels.
        """
        return Square(round(self.left * factor), round(self.top * factor), max(1, round(self.side * factor)))

    def turned(self, size: tuple[int, int], turns: int) -> "Square":
        """Turn the window along with its picture.

        Args:
            size: Height and width of the picture in pixels.
            turns: Quarter turns counter-clockwise, as in numpy's rot90.

        Returns:
            The same window in the turned picture.
        """
        (height, width), left, top = size, self.left, self.top
        for _ in range(turns % 4):
            left, top = top, width - left - self.side
            height, width = width, height
        return Square(left, top, self.side)

    def fitted(self, size: tuple[int, int]) -> "Square":
        """Move the window into a picture; one that is larger than the picture shrinks.

        Args:
            size: Height and width of the picture in pixels.

        Returns:
            The largest window up to its own side that lies in the picture, as near to it as possible.
        """
        height, width = size
        side = min(self.side, height, width)
        left, top = (round(start + (self.side - side) / 2) for start in (self.left, self.top))
        return Square(min(max(left, 0), width - side), min(max(top, 0), height - side), side)

    def within(self, other: "Square") -> "Square":
        """Express the window in the pixels of another one.

        Args:
            other: The window that has been cut out, without resizing.

        Returns:
            The same window, counted from the other's left and top.
        """
        return Square(self.left - other.left, self.top - other.top, self.side)

    def grid(self, size: int) -> NDArray[np.float32]:
        """Compute where the pixels of the resized window lie in the picture, along one axis.

        Args:
            size: Side of the resized window in pixels.

        Returns:
            Coordinates (size,) of the pixel centres in picture pixels, relative to the window's left or top.
        """
        return ((np.arange(size) + 0.5) * self.side / size - 0.5).astype(np.float32)


def square_around(points: NDArray[np.float32], scale: float) -> Square:
    """Build the square around a set of points.

    Args:
        points: Points (N, 2 or more) in pixels; x and y come first.
        scale: Side of the square in lengths of the longer side of the points' bounding box.

    Returns:
        The square, centred on the bounding box.
    """
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    center, side = (low + high) / 2, max(1, round(float((high - low).max()) * scale))
    return Square(round(float(center[0]) - side / 2), round(float(center[1]) - side / 2), side)


def cut_square(picture: Tensor, square: Square, size: int | None = None) -> Tensor:
    """Cut a window out of a picture; beyond the picture lies its mirror image, the more blurred the farther out.

    Args:
        picture: Pictures (B, C, H, W).
        square: The window, in pixels of the picture.
        size: Side of the result in pixels, antialiased where it is smaller; None copies the pixels.

    Returns:
        The window (B, C, size, size).
    """
    height, width = picture.shape[-2:]
    (rows, above), (columns, beside) = (
        _mirror(torch.arange(start, start + square.side, device=picture.device), length)
        for start, length in ((square.top, height), (square.left, width))
    )
    window = picture[..., rows[:, None], columns]
    if square.fitted((height, width)) != square:
        window = _blur_beyond(window, torch.maximum(above[:, None], beside))
    if size is None or size == square.side:
        return window
    return F.interpolate(window, size=(size, size), mode="bilinear", align_corners=False, antialias=True)


def _mirror(places: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Mirror whole places at the ends of a row of pixels, and measure how far beyond them they lay."""
    inside = places % (2 * length)
    inside = torch.minimum(inside, 2 * length - 1 - inside)
    return inside, torch.maximum(-places, places - (length - 1)).clamp(min=0)


def _blur_beyond(window: Tensor, beyond: Tensor) -> Tensor:
    """Blur a window (B, C, S, S) where it lies beyond the picture by some pixels (S, S)."""
    side = window.shape[-1]
    cells = F.interpolate(window.float(), (BLUR_CELLS,) * 2, mode="bilinear", align_corners=False, antialias=True)
    blurred = F.interpolate(cells, (side, side), mode="bilinear", align_corners=False)
    mixed = torch.lerp(window.float(), blurred, (beyond / (BLUR_REACH * side)).clamp(max=1))
    return mixed.to(window.dtype)


def copy_square(pixels: NDArray[np.uint8], square: Square, size: int) -> NDArray[np.uint8]:
    """Cut a window out of pixels; beyond the picture lies its blurred mirror image.

    Args:
        pixels: uint8 (H, W, 3).
        square: The window, in pixels of the picture.
        size: Side of the result in pixels, antialiased where it is smaller.

    Returns:
        The window, uint8 (size, size, 3).
    """
    picture = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    window = cut_square(picture, square).float() / 255  # cut first: a large picture as floats takes gigabytes
    return to_pixels(cut_square(window, Square(0, 0, square.side), size))


def resize_pixels(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize pixels with an antialiasing Lanczos filter.

    Args:
        pixels: uint8 (H, W, 3).
        width: Width of the result in pixels.
        height: Height of the result in pixels.

    Returns:
        uint8 (height, width, 3).
    """
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Convert pixels to the tensor that networks take.

    Args:
        pixels: uint8 (H, W, 3).

    Returns:
        float32 (1, 3, H, W) in [0, 1].
    """
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def to_pixels(picture: Tensor) -> NDArray[np.uint8]:
    """Convert a network's picture to pixels.

    Args:
        picture: A picture (1, 3, H, W); values outside [0, 1] are clipped.

    Returns:
        uint8 (H, W, 3).
    """
    return (picture[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()
