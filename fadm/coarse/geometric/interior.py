"""The mouth's interior, a layer behind the lips that moves with the skull."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.coarse.geometric.flow import sample, view_grid
from fadm.face import topology
from fadm.media.crop import Square

FloatArray = NDArray[np.floating[Any]]

MOUTH_SIZE = 160  # pixels of the mouth picture's side
TOOTH_HEIGHT = 0.10  # of the painted teeth, in widths of the mouth
OPEN_SHARE = 0.1  # a source mouth that is open by more than this share of its width shows its own interior
LOWER_LIP = (15, 16, 86, 316)
CHEEK = (205, 425, 50, 280)


@dataclass(frozen=True)
class MouthInterior:
    """A picture of the mouth's interior.

    Attributes:
        picture: The interior (1, 3, S, S).
        window: The window of the source that it covers.
    """

    picture: Tensor
    window: Square


def paint_mouth_interior(picture: Tensor, landmarks: FloatArray) -> MouthInterior:
    """Copy the source's own interior where its lips are parted; otherwise paint a dark cavity and upper teeth.

    Args:
        picture: The source (1, 3, H, W) in [0, 1].
        landmarks: Its landmarks (478, 3), in its pixels.

    Returns:
        The interior over a window around the mouth.
    """
    left, right = landmarks[topology.INNER_UPPER_LIP[0], :2], landmarks[topology.INNER_UPPER_LIP[-1], :2]
    width = float(np.linalg.norm(right - left))
    middle = (left + right) / 2
    side = max(8, round(2.4 * width))
    window = Square(round(float(middle[0]) - side / 2), round(float(middle[1]) - side / 2), side)

    grid = view_grid(window, MOUTH_SIZE)
    across = (right - left) / width
    down = np.array([-across[1], across[0]])
    u, v = (grid - middle) @ across / width, (grid - middle) @ down / width  # widths of the mouth

    def line(chain: tuple[int, ...]) -> FloatArray:
        """Height of a lip at each u."""
        points = landmarks[list(chain), :2] - middle
        return np.interp(u, points @ across / width, points @ down / width)

    upper, lower = line(topology.INNER_UPPER_LIP), line(topology.INNER_LOWER_LIP)
    lip = _tone(picture, landmarks, LOWER_LIP)
    cavity = lip * lip.new_tensor([0.28, 0.14, 0.14])[:, None, None]
    tongue = 1 + 1.2 * np.clip((v - upper - 0.1) / 0.35, 0, 1)  # it is lighter than the darkness above it
    cavity = cavity * _field(1.1 * np.clip(1 - np.abs(u), 0, 1) * tongue).to(cavity)
    if float((lower - upper).max()) < OPEN_SHARE:
        return MouthInterior(_paint_teeth(cavity, _tone(picture, landmarks, CHEEK), u, v - upper), window)
    # The source's own interior, its upper row of teeth continued upwards behind the lip.
    margin = 0.08 * (lower - upper)
    place = middle + width * (u[..., None] * across + np.clip(v, upper + margin, None)[..., None] * down)
    own = sample(picture, torch.from_numpy(place.astype(np.float32))[None])
    is_own = _step(lower - margin - v, 0.04) * _step(0.46 - np.abs(u), 0.04)
    return MouthInterior(torch.lerp(cavity.to(own), own, _field(is_own).to(own)), window)


def _paint_teeth(cavity: Tensor, skin: Tensor, u: FloatArray, below_lip: FloatArray) -> Tensor:
    """Paint an upper row of teeth into a dark cavity.

    u and below_lip are the places along and below the upper lip, in widths of the mouth.
    """
    bottom = TOOTH_HEIGHT * (1 - (u / 0.5) ** 2)
    teeth = _step(bottom - below_lip, 0.03) * _step(0.42 - np.abs(u), 0.08)
    shade = (0.45 + 0.55 * np.clip(below_lip / TOOTH_HEIGHT, 0, 1)) * (1 - 2.2 * u**2)
    lit = torch.lerp(torch.ones_like(skin), skin / skin.mean().clamp(min=0.05), 0.6)  # the light's colour, roughly
    enamel = skin.mean().clamp(0.25, 0.75) * lit * _field(shade).to(skin)
    return torch.lerp(cavity, enamel.to(cavity), _field(teeth).to(cavity))


def _tone(picture: Tensor, landmarks: FloatArray, points: tuple[int, ...]) -> Tensor:
    """Mean colour (1, 3, 1, 1) of the picture at some landmarks."""
    return sample(picture, torch.from_numpy(landmarks[list(points), :2])[None, None]).mean(3, keepdim=True)


def _field(values: FloatArray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))[None, None]


def _step(values: FloatArray, softness: float) -> FloatArray:
    return np.clip(values / softness + 0.5, 0, 1)
