"""The 52 blendshape coefficients of a face, by MediaPipe's network from landmarks to coefficients."""

import math

import numpy as np
from numpy.typing import NDArray

from fadm.blendshapes import NUM_BLENDSHAPES
from fadm.face.landmarker import measure_lean
from fadm.face.litert import ModelPerThread

FloatArray = NDArray[np.float32]

# The landmarks that the network takes.
INPUT_LANDMARKS = np.array((
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153,
    154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251,
    263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318,
    321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
))  # fmt: skip

_network = ModelPerThread("face_blendshapes")


def estimate_blendshapes(landmarks: FloatArray) -> FloatArray:
    """Estimate the blendshape coefficients of a face, which is levelled first: they do not depend on the head's roll.

    Args:
        landmarks: Landmarks (478, 3) in pixels.

    Returns:
        Coefficients (52,) in [0, 1] in the order of `BLENDSHAPES`; `tongueOut`, which the network does not know, is 0.
    """
    (known,) = _network(_level(landmarks)[None])
    coefficients = np.zeros(NUM_BLENDSHAPES, np.float32)
    coefficients[: len(known) - 1] = known[1:]  # the network's first number is that of the neutral face
    return coefficients


def _level(landmarks: FloatArray) -> FloatArray:
    """Columns and rows of the network's landmarks (146, 2), turned so that the eyes are level."""
    angle, points = measure_lean(landmarks), landmarks[INPUT_LANDMARKS, :2]
    cos, sin, centre = math.cos(angle), math.sin(angle), points.mean(0)
    return ((points - centre) @ np.array([[cos, -sin], [sin, cos]], np.float32) + centre).astype(np.float32)
