"""Mouth and eyes: the windows in which a renderer of their own draws them, and the way back into the frame.

A window stands still relative to the head: it is placed by landmarks that the head alone has moved. So teeth and
eyeballs of the source lie in its window where they lie in the frame's.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from fadm.face.masks import MOUTH
from fadm.face.region import Region
from fadm.face.topology import EYES, INNER_LOWER_LIP, INNER_UPPER_LIP, MOUTH_CORNERS
from fadm.media.crop import Square
from fadm.rendering.repair import resize

FloatArray = NDArray[np.float32]

WINDOW = 128  # pixels along each side of a window as the renderer sees it
LARGEST = 512  # pixels along each side of a window as it is repaired
MOUTH_SIDE, EYE_SIDE = 1.2, 0.8  # sides of the windows over the distance of the eyes' outer corners
MOUTH_DROP = 0.12  # how far the mouth's window lies below its corners, in its sides: the jaw opens downwards
LIPS, OPENING, IRIS = 85, 170, 255  # of 255: what the contours show
SOLID = 0.6  # share of a window's half side up to which the frame shows the window alone
LARGEST_CHANGE = 4.0  # length of the change of attributes beyond which the renderer is told no more
FINE = 2  # pixels along each side into which a pixel of the contours is divided


def part_regions(carried: FloatArray) -> list[Region]:
    """Place the windows of a face.

    Args:
        carried: The source's landmarks (478, 3) in pixels, moved by the head alone.

    Returns:
        The windows of the mouth, the right and the left eye; the right one is that of the person.
    """
    corners = [(upper[0], upper[-1]) for upper, _, _ in EYES]
    outer = carried[corners[1][1]] - carried[corners[0][0]]
    unit, angle = float(np.linalg.norm(outer)), math.atan2(float(outer[1]), float(outer[0]))
    down = MOUTH_DROP * MOUTH_SIDE * unit * np.array([-math.sin(angle), math.cos(angle)])
    regions = []
    for points, side, shift in ((MOUTH_CORNERS, MOUTH_SIDE, down), *((pair, EYE_SIDE, 0.0) for pair in corners)):
        x, y = (carried[list(points), :2].mean(0) + shift).tolist()
        regions.append(Region(x, y, side * unit, angle))
    return regions


def region_within(region: Region, window: Square, factor: float) -> Region:
    """Express a region of a picture in the pixels of a window of it.

    Args:
        region: The region.
        window: The window, in pixels of the picture.
        factor: Ratio of the window's size in the view to its size in the picture.

    Returns:
        The region in the view's pixels.
    """
    x, y = ((c - low + 0.5) * factor - 0.5 for c, low in ((region.x, window.left), (region.y, window.top)))
    return Region(x, y, region.side * factor, region.angle)


def native_size(side: float) -> int:
    """Choose the side of a window's picture in pixels: all of its detail, and never less than `WINDOW`.

    Args:
        side: Side of its region in pixels.

    Returns:
        The side, from WINDOW to LARGEST.
    """
    return min(max(WINDOW, math.ceil(side)), LARGEST)


def cut_part(picture: Tensor, region: Region, size: int) -> Tensor:
    """Cut a window out of a picture, antialiased where it is made smaller.

    Args:
        picture: Picture (1, C, H, W).
        region: The window in its pixels.
        size: Side of the result in pixels.

    Returns:
        The window (1, C, size, size); beyond the picture its edge is repeated.
    """
    fine = max(size, native_size(region.side))
    height, width = picture.shape[2:]
    along = ((torch.arange(fine, device=picture.device) + 0.5) / fine - 0.5) * (2 * region.side)
    cos, sin = math.cos(region.angle), math.sin(region.angle)
    x = (along * cos - along[:, None] * sin + (2 * region.x + 1)) / width - 1
    y = (along * sin + along[:, None] * cos + (2 * region.y + 1)) / height - 1
    grid = torch.stack([x, y], -1)[None]
    cut = F.grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return resize(cut, (size, size)) if fine > size else cut


def draw_contours(landmarks: FloatArray, regions: Sequence[Region]) -> Tensor:
    """Draw what a face's windows show by its landmarks.

    Args:
        landmarks: Landmarks (478, 3) in pixels.
        regions: Windows of mouth, right and left eye, in the same pixels.

    Returns:
        uint8 (3, 1, WINDOW, WINDOW): lips LIPS, what is open between lips or lids OPENING, the iris there IRIS, else 0.
    """
    mouth, *eyes = regions
    inner = (*INNER_UPPER_LIP, *INNER_LOWER_LIP[-2:0:-1])
    drawings = [_draw(mouth, [(landmarks[list(MOUTH)], LIPS), (landmarks[list(inner)], OPENING)])]
    for region, (upper, lower, iris) in zip(eyes, EYES, strict=True):
        lids = landmarks[[*upper, *lower[-2:0:-1]]]
        opening, disc = (_draw(region, [shape]) for shape in ((lids, OPENING), (_circle(landmarks[list(iris)]), IRIS)))
        drawings.append(np.where(opening > 0, np.maximum(opening, np.minimum(disc, _double(opening))), 0))
    return torch.from_numpy(np.stack(drawings)[:, None].astype(np.uint8))


def limit_attributes(source: Tensor, driving: Tensor) -> Tensor:
    """Shorten the change of attributes, so that expressions of any strength are like those of the training.

    Args:
        source: The source's expression and pose (B, 56).
        driving: The driver's (B, 56).

    Returns:
        Driving attributes (B, 56) whose difference to the source's is at most LARGEST_CHANGE long.
    """
    change = driving - source
    length = change.norm(dim=1, keepdim=True).clamp(min=1e-8)
    return source + change * (LARGEST_CHANGE / length).clamp(max=1)


def _double(values: NDArray[np.uint8]) -> NDArray[np.float32]:
    return values.astype(np.float32) * (IRIS / OPENING)


def _circle(iris: FloatArray) -> FloatArray:
    """Points (24, 2) around an iris (5, 3), its centre first."""
    radius = np.linalg.norm(iris[1:, :2] - iris[0, :2], axis=1).mean()
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return iris[0, :2] + radius * np.stack([np.cos(angles), np.sin(angles)], 1)


def _draw(region: Region, shapes: Sequence[tuple[FloatArray, int]]) -> NDArray[np.uint8]:
    """Fill outlines (N, 2 or 3) in pixels of the picture, one over the other, with soft edges."""
    canvas = Image.new("L", (FINE * WINDOW, FINE * WINDOW))
    draw = ImageDraw.Draw(canvas)
    cos, sin = math.cos(region.angle), math.sin(region.angle)
    turn = np.array([[cos, -sin], [sin, cos]]) / region.side
    for outline, value in shapes:
        points = ((outline[:, :2] - [region.x, region.y]) @ turn + 0.5) * (FINE * WINDOW)
        draw.polygon([(x, y) for x, y in points.tolist()], fill=value)
    return np.asarray(canvas.reduce(FINE))


def set_part(view: Tensor, region: Region, window: Tensor) -> None:
    """Set a drawn window into a view, in place, fading out towards the window's border.

    Args:
        view: The view (1, 3, H, W) in [0, 1].
        region: The window in its pixels.
        window: What it shows (1, 3, N, N).
    """
    cos, sin = math.cos(region.angle), math.sin(region.angle)
    reach = region.side / 2 * (abs(cos) + abs(sin))
    height, width = view.shape[2:]
    left, right = (int(min(max(region.x + reach * s, 0), width - 1)) for s in (-1, 1))
    top, bottom = (int(min(max(region.y + reach * s, 0), height - 1)) for s in (-1, 1))
    if right <= left or bottom <= top:
        return
    rows = torch.arange(top, bottom + 1, device=view.device)[:, None] - region.y
    columns = torch.arange(left, right + 1, device=view.device) - region.x
    across, down = (columns * cos + rows * sin) * (2 / region.side), (rows * cos - columns * sin) * (2 / region.side)
    drawn = F.grid_sample(window, torch.stack([across, down], -1)[None], padding_mode="border", align_corners=False)
    away = torch.hypot(across, down)  # half sides from the centre
    share = ((1 - away) / (1 - SOLID)).clamp(0, 1)
    share = share * share * (3 - 2 * share)
    view[..., top : bottom + 1, left : right + 1].lerp_(drawn, share[None, None])
