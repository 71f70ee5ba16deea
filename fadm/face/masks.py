"""Masks drawn from landmarks: the face, the mouth, and the features that viewers notice first."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from fadm.face.topology import EYES, FACE_OVAL, OUTER_LOWER_LIP, OUTER_UPPER_LIP

MOUTH = OUTER_UPPER_LIP + OUTER_LOWER_LIP[-2:0:-1]  # once around the lips
FACE, FEATURE = 85, 255  # weight, of 255, of the face and of the mouth and eyes
MARGIN = 1.35  # factor by which eyes and mouth are enlarged about their centres
BORDER = 0.3  # width of the line around them, half of it outside, in widths of the eye or mouth


def outline_mask(landmarks: Tensor, size: tuple[int, int], outline: Sequence[int] = FACE_OVAL) -> Tensor:
    """Fill an outline of landmarks.

    Args:
        landmarks: Landmarks (B, N, 2 or 3) in pixels.
        size: Height and width of the mask in pixels.
        outline: Indices of the landmarks once around, such as FACE_OVAL or MOUTH.

    Returns:
        Binary masks (B, 1, H, W), float32; empty where a landmark of the outline is NaN (no face).
    """
    masks = [_fill(points[list(outline), :2], size) for points in landmarks.cpu()]
    return torch.stack(masks).to(landmarks.device)


def _fill(points: Tensor, size: tuple[int, int]) -> Tensor:
    height, width = size
    canvas = Image.new("L", (width, height))
    if points.isfinite().all():
        ImageDraw.Draw(canvas).polygon([(x, y) for x, y in points.tolist()], fill=1)
    return torch.from_numpy(np.array(canvas, dtype=np.float32))[None]


def draw_attention(landmarks: NDArray[np.float32], size: int) -> Tensor:
    """Draw how much each pixel counts in a face-weighted loss or metric.

    Args:
        landmarks: Landmarks (478, 3) in pixels of the square picture.
        size: Side of the picture in pixels.

    Returns:
        uint8 (1, size, size): FEATURE (255) on the eyes and the mouth, FACE (85) in the face, else 0.
    """
    canvas = Image.new("L", (size, size))
    draw = ImageDraw.Draw(canvas)
    draw.polygon([(x, y) for x, y in landmarks[list(FACE_OVAL), :2].tolist()], fill=FACE)
    chains = [(upper, lower) for upper, lower, _ in EYES] + [(OUTER_UPPER_LIP, OUTER_LOWER_LIP)]
    for upper, lower in chains:
        outline = landmarks[[*upper, *lower[-2:0:-1]], :2]
        centre = outline.mean(0)
        points = [(x, y) for x, y in (centre + MARGIN * (outline - centre)).tolist()]
        draw.polygon(points, fill=FEATURE)
        room = round(BORDER * float(np.ptp(outline[:, 0])))  # closed eyes have a height, too
        draw.line([*points, points[0]], fill=FEATURE, width=max(1, room), joint="curve")
    return torch.from_numpy(np.array(canvas))[None]
