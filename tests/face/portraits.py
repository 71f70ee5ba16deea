"""A real face for the tests, cut out and tracked once a run."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fadm.face.segmentation import segment_people
from fadm.face.topology import EYES, FACE_OVAL
from fadm.face.tracker import FaceTracker
from fadm.media.crop import copy_square, square_around, to_tensor
from fadm.media.image import read_image
from tests.media.samples import ASTRONAUT

SIDE = 256
REGION_SCALE = 2.8


@dataclass(frozen=True)
class Portrait:
    """pixels (256, 256, 3); landmarks (478, 3) in them; person (256, 256) probability."""

    pixels: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    person: NDArray[np.float32]


@cache
def read_portrait() -> Portrait:
    """The astronaut's head with its surroundings."""
    pixels = read_image(ASTRONAUT)
    region = square_around(track_picture(pixels)[0][list(FACE_OVAL)], REGION_SCALE)
    head = copy_square(pixels, region, SIDE)
    return Portrait(head, track_picture(head)[0], segment_people(to_tensor(head))[0, 0].numpy())


@cache
def picture_tracker() -> FaceTracker:
    return FaceTracker(is_video=False)


def track_picture(pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    return [face.landmarks for face in picture_tracker().track(pixels)]


def eye_openings(landmarks: NDArray[np.float32]) -> list[float]:
    """Mean height of the right and the left eye's opening, pixels."""
    return [float((landmarks[list(lower[2:7]), 1] - landmarks[list(upper[2:7]), 1]).mean()) for upper, lower, _ in EYES]
