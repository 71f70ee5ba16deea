"""Where people look: mouth and eyes first, then the rest of the face."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from fadm.face.topology import EYES, FACE_OVAL, OUTER_LOWER_LIP, OUTER_UPPER_LIP

FACE, FEATURE = 85, 255  # of 255
MARGIN = 1.35  # by which eyes and mouth are widened about their centres


def draw_attention(landmarks: NDArray[np.float32], size: int) -> Tensor:
    """Landmarks (478, 3) in pixels -> (1, size, size) uint8: 255 on eyes and mouth, 85 in the face, else 0."""
    canvas = Image.new("L", (size, size))
    draw = ImageDraw.Draw(canvas)
    draw.polygon([(x, y) for x, y in landmarks[list(FACE_OVAL), :2].tolist()], fill=FACE)
    chains = [(upper, lower) for upper, lower, _ in EYES] + [(OUTER_UPPER_LIP, OUTER_LOWER_LIP)]
    for upper, lower in chains:
        outline = landmarks[[*upper, *lower[-2:0:-1]], :2]
        centre = outline.mean(0)
        room = 0.15 * np.ptp(outline[:, 0]) * np.sign(outline - centre)  # closed lids have a height, too
        draw.polygon([(x, y) for x, y in (centre + MARGIN * (outline - centre) + room).tolist()], fill=FEATURE)
    return torch.from_numpy(np.array(canvas))[None]
