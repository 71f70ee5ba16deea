"""The 478 landmarks of MediaPipe's face mesh: named index sets, left-right partners and triangles.

Left and right are the subject's own. The lips are listed from the subject's right to the left, the lids from the
outer to the inner corner of the eye. Mesh: Kartynnik et al., arXiv 1907.06724.
"""

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

NUM_LANDMARKS = 478
NUM_SURFACE = 468  # the face mesh itself; the ten landmarks after it are the irises

# Clockwise in the picture from the top of the forehead.
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
FOREHEAD_TOP, CHIN, NOSE_TIP = 10, 152, 1
EAR_RIGHT, EAR_LEFT = 234, 454

INNER_UPPER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LOWER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
OUTER_UPPER_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
OUTER_LOWER_LIP = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
MOUTH_CORNERS = (61, 291)

UPPER_LID_RIGHT = (33, 246, 161, 160, 159, 158, 157, 173, 133)
LOWER_LID_RIGHT = (33, 7, 163, 144, 145, 153, 154, 155, 133)
UPPER_LID_LEFT = (263, 466, 388, 387, 386, 385, 384, 398, 362)
LOWER_LID_LEFT = (263, 249, 390, 373, 374, 380, 381, 382, 362)
BROW_RIGHT = (46, 53, 52, 65, 55, 70, 63, 105, 66, 107)
BROW_LEFT = (276, 283, 282, 295, 285, 300, 293, 334, 296, 336)
IRIS_RIGHT = (468, 469, 470, 471, 472)  # centre first
IRIS_LEFT = (473, 474, 475, 476, 477)
EYES = ((UPPER_LID_RIGHT, LOWER_LID_RIGHT, IRIS_RIGHT), (UPPER_LID_LEFT, LOWER_LID_LEFT, IRIS_LEFT))

# Moves with the skull whatever the expression: forehead, temples, eye corners, ridge of the nose.
STABLE = (
    10, 338, 297, 332, 284, 251, 389, 109, 67, 103, 54, 21, 162, 127, 356, 234, 454, 151, 9, 8, 168, 6,
    197, 195, 5, 33, 133, 263, 362, 122, 351, 193, 417,
)  # fmt: skip
# Moves with the lower jaw as a body: chin and the front of the jaw line.
JAW = (152, 148, 377, 176, 400, 149, 378, 150, 379, 175, 199, 171, 396, 208, 428, 201, 421, 200, 18)


@cache
def surface_triangles() -> NDArray[np.int64]:
    """Load the triangles (898, 3) int64 of the whole face surface: skin (852), both eyes (28), mouth (18)."""
    return np.concatenate([skin_triangles(), eye_triangles(), mouth_triangles()])


@cache
def skin_triangles() -> NDArray[np.int64]:
    """Load the triangles (852, 3) int64 of the skin, with holes for the eyes and the mouth."""
    return np.loadtxt((files("fadm.face") / "triangles.txt").read_text().splitlines(), dtype=np.int64)


@cache
def eye_triangles() -> NDArray[np.int64]:
    """Build the triangles (28, 3) int64 between the lids: the right eye, then the left."""
    right = _fill_between(UPPER_LID_RIGHT, LOWER_LID_RIGHT)
    return np.concatenate([right, _fill_between(UPPER_LID_LEFT, LOWER_LID_LEFT)])


@cache
def mouth_triangles() -> NDArray[np.int64]:
    """Build the triangles (18, 3) int64 between the inner lips."""
    return _fill_between(INNER_UPPER_LIP, INNER_LOWER_LIP)


@cache
def mirror_partners() -> NDArray[np.int64]:
    """Load the index of each landmark's left-right partner (478,) int64, its own index on the midline."""
    lines = (files("fadm.face") / "mirror.txt").read_text().splitlines()[1:]
    return np.array(" ".join(lines).split(), np.int64)


def _fill_between(upper: tuple[int, ...], lower: tuple[int, ...]) -> NDArray[np.int64]:
    """Triangulate between two lists of landmarks that share their first and last one."""
    strip = []
    for i in range(len(upper) - 1):
        strip += [(upper[i], upper[i + 1], lower[i + 1]), (upper[i], lower[i + 1], lower[i])]
    return np.array([t for t in strip if len(set(t)) == 3], np.int64)
