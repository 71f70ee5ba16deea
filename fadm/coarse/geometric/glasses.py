"""Glasses: found by their bridge across the nose, and held rigid while the face behind them moves."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.coarse.geometric.flow import sample
from fadm.face import topology

FloatArray = NDArray[np.float32]

NASION, RIDGE = 168, 195  # between the eyes, and down the ridge of the nose
INNER_CORNERS = (133, 362)
STRIP = (-0.25, 1.0, 0.24)  # of the ridge that is searched: from, to in its length; half its width in eye distances
ROWS, COLUMNS, PARTS = 56, 12, 3  # samples of that strip; a bridge crosses all its parts
LINE = 7  # rows on each side that a line is compared with
SLANT = 2  # rows by which a line may lie higher in one part than in another
WORN = (0.07, 0.12)  # contrast of the line, of the strip's brightness: below the first none are worn, above the second
# Where a frame lies around an eye, in ellipses of these half axes (widths of the eye): fully between the middle two.
ELLIPSE = (0.62, 0.42)
FRAME = (0.7, 1.0, 2.0, 3.0)


def find_glasses(picture: Tensor, landmarks: FloatArray) -> float:
    """Find out whether a face wears glasses.

    Args:
        picture: The source (1, 3, H, W) in [0, 1].
        landmarks: Its landmarks (478, 3), in its pixels.

    Returns:
        How sure that is, in [0, 1].
    """
    points = landmarks[:, :2]
    start, down = points[NASION], points[RIDGE] - points[NASION]
    across = points[INNER_CORNERS[1]] - points[INNER_CORNERS[0]]
    first, last, half = STRIP
    rows, columns = np.linspace(first, last, ROWS), np.linspace(-half, half, COLUMNS)
    places = start + rows[:, None, None] * down + columns[:, None] * across
    strip = sample(picture, torch.from_numpy(places.astype(np.float32))[None])[0].cpu().numpy()
    parts = strip.reshape(3, ROWS, PARTS, -1).mean(3)
    padded = np.pad(parts, ((0, 0), (LINE, LINE), (0, 0)), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * LINE + 1, axis=1).mean(-1)
    line = np.abs(parts - around).max(0) / max(float(parts.mean()), 1e-3)  # (ROWS, PARTS)
    padded = np.pad(line, ((SLANT, SLANT), (0, 0)))
    line = np.lib.stride_tricks.sliding_window_view(padded, 2 * SLANT + 1, axis=0).max(-1)
    return float(np.clip((line.min(1).max() - WORN[0]) / (WORN[1] - WORN[0]), 0, 1))


def frame_shares(landmarks: FloatArray) -> FloatArray:
    """Compute how far each landmark lies under the frame of glasses rather than behind a lens or beside them.

    Args:
        landmarks: Landmarks (478, 3) of a face.

    Returns:
        Shares (478,) in [0, 1], 0 for lids and irises.
    """
    shares = np.zeros(len(landmarks), np.float32)
    for upper, lower, _ in topology.EYES:
        lids = landmarks[list(upper + lower), :2]
        width = lids[len(upper) - 1] - lids[0]
        length = float(np.linalg.norm(width))
        x = (landmarks[:, :2] - lids.mean(0)) @ width / length
        y = (landmarks[:, :2] - lids.mean(0)) @ np.array([-width[1], width[0]]) / length
        away = np.hypot(x / ELLIPSE[0], y / ELLIPSE[1]) / length
        shares = np.maximum(shares, np.interp(away, FRAME, (0, 1, 1, 0)))
    for upper, lower, iris in topology.EYES:
        shares[list(upper + lower + iris)] = 0
    return shares.astype(np.float32)
