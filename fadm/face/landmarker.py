"""The 478 landmarks of one face by MediaPipe's Face Mesh V2.

Kartynnik et al., arXiv 1907.06724; irises: Ablavatski et al., arXiv 2006.11341.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fadm.face.litert import ModelPerThread
from fadm.face.region import Region, cut_region, region_around
from fadm.face.topology import NUM_LANDMARKS, UPPER_LID_LEFT, UPPER_LID_RIGHT

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

SIDE = 256  # pixels of a window's side
LANDMARK_MODEL = "mediapipe face mesh 2"  # what shards call the model of their landmarks
MIN_PRESENCE = 0.5  # a region that shows a face less probably shows none
SETTLING_LOOKS = 4  # looks at a new face until its landmarks, which place the next look, are stable
# Mean way of the landmarks from one look to the next, in sides of the window; where there is no face, they wander.
MAX_UNREST = 0.03
WINDOW = 1.5  # the side over the longer side of the landmarks' box, as in MediaPipe's tracking

_network = ModelPerThread("face_landmarks_detector")


@dataclass(frozen=True, eq=False)
class LocatedFace:
    """A face as the network sees it in a region.

    Attributes:
        landmarks: Landmarks (478, 3) float32 in pixels of the picture: x right, y down, depth away from the camera.
        presence: Probability that the region shows a face there, in [0, 1].
        window: What the network saw (256, 256, 3), float32 in [0, 1].
        points: The landmarks (478, 3) in shares of the window's side.
    """

    landmarks: FloatArray
    presence: float
    window: FloatArray
    points: FloatArray

    @cached_property
    def region(self) -> Region:
        """The region in which the network sees this face best."""
        return face_region(self.landmarks)


def see_face(pixels: Pixels, region: Region) -> LocatedFace:
    """Find the landmarks of the face in a region.

    Args:
        pixels: uint8 (H, W, 3) RGB.
        region: The region around the face, upright with it.

    Returns:
        The face; its landmarks mean nothing where its presence is low.
    """
    window = cut_region(pixels, region, SIDE)
    landmarks, presence, _ = _network(window)
    points = landmarks.reshape(NUM_LANDMARKS, 3) * np.float32(1 / SIDE)
    return LocatedFace(region.to_picture(points), 1 / (1 + float(np.exp(-presence.item()))), window[0], points)


def settle_face(pixels: Pixels, region: Region) -> LocatedFace | None:
    """Look at a face, each time where it was seen before, until its landmarks are stable.

    Args:
        pixels: uint8 (H, W, 3) RGB.
        region: Region in which a face is supposed.

    Returns:
        The face; None if there is none.
    """
    last = None
    for _ in range(SETTLING_LOOKS):
        face = see_face(pixels, region)
        if face.presence < MIN_PRESENCE:
            return None
        step = np.inf if last is None else np.linalg.norm((face.landmarks - last)[:, :2], axis=1).mean() / region.side
        last, region = face.landmarks, face.region
    return face if step < MAX_UNREST else None


def face_region(landmarks: FloatArray) -> Region:
    """Build the region in which the network sees a face best.

    Args:
        landmarks: Its landmarks (478, 3) in pixels, from an earlier frame or an earlier look.

    Returns:
        The region, with level eyes and a margin of a quarter.
    """
    return region_around(landmarks, measure_lean(landmarks), WINDOW)


def measure_lean(landmarks: FloatArray) -> float:
    """Measure how far a face is turned in the picture.

    Args:
        landmarks: Its landmarks (478, 2 or 3) in pixels.

    Returns:
        Angle of the line through the eyes, clockwise in radians; 0 where it is level.
    """
    across = landmarks[UPPER_LID_LEFT[0]] - landmarks[UPPER_LID_RIGHT[0]]
    return math.atan2(float(across[1]), float(across[0]))
