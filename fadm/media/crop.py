"""Square windows of a picture: around a face, cut out at any size, and the way back."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor


@dataclass(frozen=True)
class Square:
    """A window in whole pixels of a picture, which may reach beyond its edges: left, top and side."""

    left: int
    top: int
    side: int

    def scaled(self, factor: float) -> "Square":
        """The same window after the picture was resized by a factor."""
        return Square(round(self.left * factor), round(self.top * factor), max(1, round(self.side * factor)))

    def within(self, other: "Square") -> "Square":
        """The same window in the pixels of another one."""
        return Square(self.left - other.left, self.top - other.top, self.side)

    def grid(self, size: int) -> NDArray[np.float32]:
        """Picture coordinates (size,) of the window's pixel centres along one axis, from its left or top."""
        return ((np.arange(size) + 0.5) * self.side / size - 0.5).astype(np.float32)


def square_around(points: NDArray[np.float32], scale: float) -> Square:
    """The square that has the points' box (N, 2+) at its centre and is `scale` times as long as its longer side."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    center, side = (low + high) / 2, max(1, round(float((high - low).max()) * scale))
    return Square(round(float(center[0]) - side / 2), round(float(center[1]) - side / 2), side)


def cut_square(picture: Tensor, square: Square, size: int | None = None) -> Tensor:
    """Cut a window out of a picture (B, C, H, W) -> (B, C, size, size), the edges repeated beyond the picture.

    Without a size pixels are copied; a smaller size is antialiased.
    """
    height, width = picture.shape[-2:]
    rows = torch.arange(square.top, square.top + square.side, device=picture.device).clamp(0, height - 1)
    columns = torch.arange(square.left, square.left + square.side, device=picture.device).clamp(0, width - 1)
    window = picture[..., rows[:, None], columns]
    if size is None or size == square.side:
        return window
    return F.interpolate(window, size=(size, size), mode="bilinear", align_corners=False, antialias=True)


def copy_square(pixels: NDArray[np.uint8], square: Square, size: int) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) -> the window's (size, size, 3), the edges repeated beyond the picture."""
    picture = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    window = cut_square(picture, square).float() / 255  # cut first: a large picture as floats takes gigabytes
    return to_pixels(cut_square(window, Square(0, 0, square.side), size))


def resize_pixels(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) -> (height, width, 3), antialiased."""
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Pixels (H, W, 3) in 0..255 -> tensor (1, 3, H, W) in 0..1."""
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def to_pixels(picture: Tensor) -> NDArray[np.uint8]:
    """Tensor (1, 3, H, W) in 0..1 -> pixels (H, W, 3) in 0..255."""
    return (picture[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()
