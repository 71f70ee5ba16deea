"""What lies behind the lips and the lids: mouth interior and eyeballs move with the skull, skin slides over them."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.coarse.geometric.flow import view_grid
from fadm.face import topology
from fadm.face.raster import rasterize
from fadm.media.crop import Square, cut_square

FloatArray = NDArray[np.float32]

MOUTH_SIZE = 160  # pixels of the mouth picture's side
TOOTH_HEIGHT = 0.17  # visible height of the painted teeth, in widths of the mouth
OPEN_SHARE = 0.1  # a source mouth open by more than this share of its width shows its own interior


@dataclass(frozen=True)
class MouthInterior:
    """The picture (1, 3, S, S) behind the lips over a window of the source."""

    picture: Tensor
    window: Square


def paint_mouth_interior(picture: Tensor, landmarks: FloatArray) -> MouthInterior:
    """The source's own interior where its lips are parted, a dark cavity and a row of upper teeth where not.

    picture (1, 3, H, W) in 0..1; landmarks (478, 3) in its pixels.
    """
    left, right = landmarks[topology.INNER_UPPER_LIP[0], :2], landmarks[topology.INNER_UPPER_LIP[-1], :2]
    width = float(np.linalg.norm(right - left))
    middle = (left + right) / 2
    side = max(8, round(2.4 * width))
    window = Square(round(float(middle[0]) - side / 2), round(float(middle[1]) - side / 2), side)
    own = cut_square(picture, window, MOUTH_SIZE)

    grid = view_grid(window, MOUTH_SIZE)
    across = (right - left) / width
    down = np.array([-across[1], across[0]])
    u, v = (grid - middle) @ across / width, (grid - middle) @ down / width  # widths of the mouth
    lip_tone = cut_square(picture, _lip_window(landmarks), 1)
    skin_tone = cut_square(picture, _cheek_window(landmarks), 1)
    cavity = lip_tone * torch.tensor([0.30, 0.17, 0.17])[:, None, None] * _field(1.15 - 1.2 * np.abs(u))
    upper_line = float(((landmarks[[81, 13, 311], :2] - middle) @ down).mean()) / width
    bottom = upper_line + TOOTH_HEIGHT * (1 - (u / 0.5) ** 2)
    teeth = _step(bottom - v, 0.02) * _step(0.40 - np.abs(u), 0.05)
    enamel = skin_tone.mean() * torch.tensor([1.18, 1.12, 1.02])[:, None, None]
    shade = _field(0.55 + 0.45 * np.clip((v - upper_line) / 0.1, 0, 1)) * _field(1 - 1.6 * u**2)
    painted = torch.lerp(cavity, (enamel * shade).clamp(0, 0.92), _field(teeth))

    gap = float(np.linalg.norm(landmarks[13, :2] - landmarks[14, :2])) / width
    opened = _opening_mask(landmarks, window) * float(np.clip((gap - 0.03) / (OPEN_SHARE - 0.03), 0, 1))
    below = _field(_step(v - upper_line - max(TOOTH_HEIGHT, gap), 0.03))
    painted = torch.lerp(painted, cavity, below) if gap > OPEN_SHARE else painted
    return MouthInterior(torch.lerp(painted, own, opened), window)


def _field(values: FloatArray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))[None, None]


def _step(values: FloatArray, softness: float) -> FloatArray:
    return np.clip(values / softness + 0.5, 0, 1)


def _lip_window(landmarks: FloatArray) -> Square:
    x, y = (landmarks[14, :2] + landmarks[17, :2]) / 2
    side = max(2, round(float(np.linalg.norm(landmarks[14, :2] - landmarks[17, :2])) * 0.6))
    return Square(round(float(x) - side / 2), round(float(y) - side / 2), side)


def _cheek_window(landmarks: FloatArray) -> Square:
    x, y = landmarks[205, :2]
    side = max(2, round(float(np.linalg.norm(landmarks[78, :2] - landmarks[308, :2])) * 0.3))
    return Square(round(float(x) - side / 2), round(float(y) - side / 2), side)


def _opening_mask(landmarks: FloatArray, window: Square) -> Tensor:
    """Soft mask (1, 1, S, S) of the source's own opening between the lips."""
    scale = MOUTH_SIZE / window.side
    corner = np.array([window.left, window.top, 0], np.float32)
    index, _ = rasterize((landmarks - corner + 0.5) * scale - 0.5, topology.mouth_triangles(), MOUTH_SIZE, MOUTH_SIZE)
    mask = torch.from_numpy((index >= 0).astype(np.float32))[None, None]
    return torch.nn.functional.avg_pool2d(mask, 5, stride=1, padding=2, count_include_pad=False)
