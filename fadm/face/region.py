"""Turned squares of a picture, from which the face models see a face upright, and the way back."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

LARGEST_LEAN = 60  # degrees by which an upright person's head may lean


@dataclass(frozen=True)
class Region:
    """A square of a picture, turned; it may reach beyond the picture's edges.

    Attributes:
        x: Column of its centre in pixels of the picture, whose pixel centres lie at whole numbers.
        y: Row of its centre.
        side: Its width and height in pixels.
        angle: How far it is turned clockwise, in radians.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0

    def to_picture(self, points: FloatArray) -> FloatArray:
        """Map points from the region to the picture.

        Args:
            points: Points (N, 2 or 3) in shares of the region's side, 0 at its left and its top; a third coordinate
                is a depth in the same unit.

        Returns:
            The points in pixels of the picture.
        """
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        turn = np.array([[cos, -sin], [sin, cos]], np.float32) * np.float32(self.side)
        result = points * np.float32(self.side)
        result[:, :2] = (points[:, :2] - np.float32(0.5)) @ turn.T + np.array([self.x, self.y], np.float32)
        return result

    def scaled(self, factor: float) -> "Region":
        """The same square in the picture made larger or smaller.

        Args:
            factor: New length of the picture's sides over the old one.

        Returns:
            The region in pixels of that picture.
        """
        return Region((self.x + 0.5) * factor - 0.5, (self.y + 0.5) * factor - 0.5, self.side * factor, self.angle)


def whole_region(pixels: Pixels, angle: float = 0.0) -> Region:
    """Build the square around a whole picture.

    Args:
        pixels: uint8 (H, W, 3).
        angle: How far the square is turned clockwise, in radians; a multiple of a right angle keeps all inside.

    Returns:
        The region.
    """
    height, width = pixels.shape[:2]
    return Region((width - 1) / 2, (height - 1) / 2, max(height, width), angle)


def region_around(points: FloatArray, angle: float, scale: float) -> Region:
    """Build the turned square around a face.

    Args:
        points: Points (N, 2 or more) of the face in pixels; x and y come first.
        angle: How far the face is turned clockwise, in radians.
        scale: Side of the region in lengths of the longer side of the points' turned bounding box.

    Returns:
        The region, centred on that box.
    """
    cos, sin = math.cos(angle), math.sin(angle)
    axes = np.array([[cos, sin], [-sin, cos]], np.float32)  # rows: right, down
    level = points[:, :2] @ axes.T
    low, high = level.min(0), level.max(0)
    x, y = (low + high) / 2 @ axes
    return Region(float(x), float(y), float((high - low).max()) * scale, angle)


def count_turns(region: Region) -> int:
    """Count the quarter turns by which a face lies on its side or upside down.

    Args:
        region: The region around the face, upright with it.

    Returns:
        Quarter turns counter-clockwise that make the picture upright, 0 to 3; 0 for a head that leans by up to 60
        degrees.
    """
    degrees = math.degrees(region.angle)
    return 0 if abs(degrees) <= LARGEST_LEAN else round(degrees / 90) % 4


def turn_points(points: FloatArray, size: tuple[int, int], turns: int) -> FloatArray:
    """Turn points together with their picture.

    Args:
        points: Points (N, 2 or 3) in pixels; x and y come first.
        size: Height and width of the picture in pixels.
        turns: Quarter turns counter-clockwise, as in numpy's rot90.

    Returns:
        The points in the turned picture.
    """
    height, width = size
    turned = points.copy()
    for _ in range(turns):
        turned[:, 0], turned[:, 1] = turned[:, 1].copy(), width - 1 - turned[:, 0]
        height, width = width, height
    return turned


def shared_area(a: Region, b: Region) -> float:
    """Measure how far two regions lie on each other, their turns left aside.

    Args:
        a: One region.
        b: The other region.

    Returns:
        Area of their intersection over that of their union, in [0, 1].
    """
    width, height = (
        max(0.0, min(p + a.side / 2, q + b.side / 2) - max(p - a.side / 2, q - b.side / 2))
        for p, q in ((a.x, b.x), (a.y, b.y))
    )
    shared = width * height
    return shared / (a.side**2 + b.side**2 - shared)


def cut_region(pixels: Pixels, region: Region, size: int, *, padding: str = "border") -> FloatArray:
    """Cut a region out of a picture and turn it upright, antialiased where it is made smaller.

    Args:
        pixels: uint8 (H, W, 3).
        region: The region.
        size: Side of the result in pixels.
        padding: What lies beyond the picture: its edge (`border`) or black (`zeros`).

    Returns:
        The region (1, size, size, 3), float32 in [0, 1]; a view of its three colours, one after the other.
    """
    height, width = pixels.shape[:2]
    cos, sin = math.cos(region.angle), math.sin(region.angle)
    reach = region.side / 2 * (abs(cos) + abs(sin)) + 2
    left, right = (int(min(max(region.x + reach * s, 0), width - 1)) for s in (-1, 1))
    top, bottom = (int(min(max(region.y + reach * s, 0), height - 1)) for s in (-1, 1))
    part = pixels[top : bottom + 1, left : right + 1]
    step = max(1, min(int(region.side / size), *part.shape[:2]))
    part = shrink(part, step)
    # The places of the result's pixels, in -1..1 across that part of the picture, as complex numbers x + iy: one sum.
    along = ((np.arange(size) + 0.5) * (2 / size) - 1) * (region.side / step)
    (wide, high), (x, y) = part.shape[1::-1], (region.x - left, region.y - top)
    middle = complex((2 * x + 1) / step / wide - 1, (2 * y + 1) / step / high - 1)
    across = torch.from_numpy((along * complex(cos / wide, sin / high) + middle).astype(np.complex64))
    down = torch.from_numpy((along * complex(-sin / wide, cos / high)).astype(np.complex64))
    grid = torch.view_as_real(across + down[:, None])[None]
    picture = torch.from_numpy(part).permute(2, 0, 1)[None].float()
    cut = F.grid_sample(picture, grid, mode="bilinear", padding_mode=padding, align_corners=False)
    return cut.mul_(1 / 255).permute(0, 2, 3, 1).numpy()


def shrink(pixels: Pixels, factor: int) -> Pixels:
    """Shrink a picture by a whole factor: each pixel becomes the mean of a square.

    Args:
        pixels: uint8 (H, W, 3).
        factor: How many times smaller the result is, 1 for the picture itself.

    Returns:
        uint8, ceil(H / factor) high and ceil(W / factor) wide.
    """
    return pixels if factor == 1 else np.array(Image.fromarray(pixels).reduce(factor))
