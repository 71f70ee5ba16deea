"""Parts of the picture that a metric looks at alone, drawn from landmarks."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from fadm.face.topology import FACE_OVAL, OUTER_LOWER_LIP, OUTER_UPPER_LIP

MOUTH = OUTER_UPPER_LIP + OUTER_LOWER_LIP[-2:0:-1]  # once around the lips


def outline_mask(landmarks: Tensor, size: tuple[int, int], outline: Sequence[int] = FACE_OVAL) -> Tensor:
    """Fill an outline of landmarks: landmarks (B, N, 2 or 3) in pixels, size (H, W) -> (B, 1, H, W) of 0 and 1.

    outline: indices once around, for instance FACE_OVAL or MOUTH. Empty where a landmark is NaN (no face).
    """
    masks = [_fill(points[list(outline), :2], size) for points in landmarks.cpu()]
    return torch.stack(masks).to(landmarks.device)


def _fill(points: Tensor, size: tuple[int, int]) -> Tensor:
    height, width = size
    canvas = Image.new("L", (width, height))
    if points.isfinite().all():
        ImageDraw.Draw(canvas).polygon([(x, y) for x, y in points.tolist()], fill=1)
    return torch.from_numpy(np.array(canvas, dtype=np.float32))[None]
