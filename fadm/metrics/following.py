"""Expression following: how far, and how faithfully, a result makes the movements that its driver makes.

Each signal (a blendshape coefficient, an angle of the head, a measure of the eyes) counts as its difference from its
own mean over a clip. A gain of 1 is a movement as large as the driver's; the correlation tells how alike they run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.blendshapes import BLENDSHAPES, UNSEEN_BLENDSHAPES
from fadm.face.topology import EYES

Sums = TypeVar("Sums", Tensor, NDArray[np.float64])

SEEN_BLENDSHAPES = tuple(name for name in BLENDSHAPES if name not in UNSEEN_BLENDSHAPES)
HEAD_ANGLES = ("yaw", "pitch", "roll")
# Each of the right eye, then of the left: by landmarks, and by pixels (`fadm.metrics.eye_pixels`).
EYE_MEASURES = ("lid_opening", "iris_x", "iris_y", "lid_opening_pixels", "iris_x_pixels")
EYE_TITLES = (
    "lid opening, landmarks",
    "iris sideways, landmarks",
    "iris up and down, landmarks",
    "lid opening, pixels",
    "iris sideways, pixels",
)
SIDES = ("right", "left")
OPEN_LID = 0.12  # eye widths between the lids, below which the iris's place is a guess
SIGNALS = (*SEEN_BLENDSHAPES, *HEAD_ANGLES, *(f"{measure}_{side}" for measure in EYE_MEASURES for side in SIDES))


@dataclass(frozen=True)
class Movement:
    """Signals that are measured together.

    Attributes:
        name: Name in files.
        title: Name in tables.
        signals: Names of its signals, some of `SIGNALS`.
        unit: Unit of the signals.
    """

    name: str
    title: str
    signals: tuple[str, ...]
    unit: str = ""

    @property
    def columns(self) -> list[int]:
        """Places of its signals in `SIGNALS`."""
        return [SIGNALS.index(signal) for signal in self.signals]


def _starting(*beginnings: str) -> tuple[str, ...]:
    return tuple(name for name in SEEN_BLENDSHAPES if name.startswith(beginnings))


EXPRESSIONS = (
    Movement("blink", "blink", _starting("eyeBlink")),
    Movement("gaze", "gaze", _starting("eyeLook")),
    Movement("brows", "brows", _starting("brow")),
    Movement("jaw_open", "jaw open", ("jawOpen",)),
    Movement("smile", "smile", _starting("mouthSmile")),
    Movement("pucker_funnel", "pucker, funnel", ("mouthPucker", "mouthFunnel")),
    Movement("lips_apart", "lips apart", _starting("mouthLowerDown", "mouthUpperUp")),
    Movement("aside", "jaw, mouth aside", ("jawLeft", "jawRight", "mouthLeft", "mouthRight")),
)
HEAD = tuple(Movement(angle, angle, (angle,), "degrees") for angle in HEAD_ANGLES)
WITHOUT_BLENDSHAPES = tuple(
    Movement(name, title, tuple(f"{name}_{side}" for side in SIDES), "eye widths")
    for name, title in zip(EYE_MEASURES, EYE_TITLES, strict=True)
)
MOVEMENTS = (*EXPRESSIONS, *HEAD, *WITHOUT_BLENDSHAPES)
COEFFICIENTS = tuple(Movement(name, name, (name,)) for name in SEEN_BLENDSHAPES)


def motion_products(driver: Tensor, *results: Tensor) -> Tensor:
    """Multiply the motions of a driver and of results, each counted from its own mean, summed over the signals.

    Args:
        driver: Signals (T, S) of one clip, NaN without a face.
        *results: Signals of the same shape.

    Returns:
        For the frames x of the driver and y, z, ... of the results: x x, then x y, y y, x z, z z, ... (T, 1 + 2 R);
        NaN in frames that one of them lacks, and everywhere if fewer than two are left: one frame shows no motion.
    """
    motions = torch.stack([driver, *results]).double()
    seen = motions.isfinite().all(dim=2).all(dim=0)
    if seen.sum() < 2:
        return torch.full((len(driver), 1 + 2 * len(results)), torch.nan, dtype=torch.float64)
    motions = motions - motions[:, seen][:, :1]  # so that what stands still is exactly zero
    x, *others = motions - motions[:, seen].mean(dim=1, keepdim=True)
    products = [(x * x).sum(dim=1)]
    for y in others:
        products += [(x * y).sum(dim=1), (y * y).sum(dim=1)]
    return torch.stack(products, dim=1).where(seen[:, None], torch.nan)


def gain(xx: Sums, xy: Sums) -> Sums:
    """Least-squares factor from a driver's motion to a result's.

    Args:
        xx: Sum of x x over frames, clips and signals.
        xy: Sum of x y.

    Returns:
        sum x y / sum x x: 1 is as strong as the driver, 0 does not follow; NaN where the driver does not move.
    """
    return xy / xx


def correlation(xx: Sums, xy: Sums, yy: Sums) -> Sums:
    """Correlation of a driver's motion and a result's.

    Args:
        xx: Sum of x x over frames, clips and signals.
        xy: Sum of x y.
        yy: Sum of y y.

    Returns:
        sum x y / sqrt(sum x x sum y y) in [-1, 1]; NaN where one of them does not move.
    """
    return xy / (xx * yy) ** 0.5


def measure_eyes(landmarks: Tensor) -> Tensor:
    """Measure the eyes by landmarks, each in the frame of its own corners: x to the right of an upright picture.

    Args:
        landmarks: Landmarks (T, 478, 2 or 3) in pixels, NaN without a face.

    Returns:
        Over the width of the eye (T, 6): distance of the lids at their middle, shift of the iris from the middle of the
        corners in x and in y; each of the right eye, then of the left.
        The shifts are NaN where the lids are closed (`OPEN_LID`).
    """
    origin, axes, width = eye_frames(landmarks)
    openings, shifts = [], []
    for eye, (upper, lower, iris) in enumerate(EYES):
        high, low = (landmarks[:, list(lid[3:6]), :2].mean(dim=1) for lid in (upper, lower))
        openings.append(((low - high) * axes[:, eye, 1]).sum(dim=1))
        shift = landmarks[:, iris[0], :2] - origin[:, eye]
        shifts.append((axes[:, eye] @ shift[:, :, None])[:, :, 0])
    opening = torch.stack(openings, dim=1) / width
    places = [
        shift.where(opening > OPEN_LID, torch.nan) for shift in (torch.stack(shifts, 1) / width[..., None]).unbind(2)
    ]
    return torch.cat([opening, *places], dim=1)


def eye_frames(landmarks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Find the frames of both eyes from their corners, which move with the skull.

    Args:
        landmarks: Landmarks (T, 478, 2 or 3) in pixels, NaN without a face.

    Returns:
        Middle of the corners (T, 2, 2) in pixels, of the right eye and of the left; unit vectors (T, 2, 2, 2) along the
        corners and down; distance of the corners (T, 2) in pixels.
    """
    corners: Sequence[tuple[int, int]] = [(EYES[0][0][0], EYES[0][0][-1]), (EYES[1][0][-1], EYES[1][0][0])]
    first, last = (landmarks[:, [pair[end] for pair in corners], :2] for end in (0, 1))
    width = (last - first).norm(dim=2)
    along = (last - first) / width[..., None]
    down = torch.stack([-along[..., 1], along[..., 0]], dim=2)
    return (first + last) / 2, torch.stack([along, down], dim=2), width
