"""All faces of a picture, or of a video from frame to frame: detectors, landmark network, and who is who.

A face that is followed is looked for where its own landmarks were in the frame before; the detectors search only
where no face is followed, and now and then for faces that have entered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fadm.face.detector import search_faces
from fadm.face.landmarker import MIN_PRESENCE, face_region, see_face, settle_face
from fadm.face.region import shared_area
from fadm.face.topology import FACE_OVAL

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

MAX_FACES = 4
SEARCH_INTERVAL = 30  # frames after which a video is searched for further faces
SAME_FACE = 0.4  # regions that share more than this part of their union show one face
MAX_STEP = 0.8  # a face that comes back is less than this from where it was lost, in widths of the face
MEMORY = 30  # frames after which a face that is not seen is forgotten


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """A face in a frame.

    Attributes:
        landmarks: Landmarks (478, 3) float32 in pixels: x right, y down, depth away from the camera. Pixel centres
            lie at whole numbers.
        presence: Probability that there is a face, in [0, 1].
        number: Tells the faces of a video apart: the same number is the same face.
    """

    landmarks: FloatArray
    presence: float = 1.0
    number: int = 0


class LandmarkTracker(Protocol):
    """Finds the 478 landmarks of each face; pass another tracker to `Animator` to replace the package's own."""

    def track(self, pixels: Pixels) -> Sequence[TrackedFace]:
        """Find the faces in the next frame.

        Args:
            pixels: uint8 (H, W, 3) RGB.

        Returns:
            The faces, in no particular order.
        """

    def reset(self) -> None:
        """Forget the previous frames at the start of a new shot."""

    def close(self) -> None:
        """Free what the tracker holds."""


class FaceTracker:
    """Tracks faces from frame to frame, or searches each picture by itself and more thoroughly.

    Args:
        is_video: Whether the frames follow each other; False makes the result independent of earlier pictures.
        max_faces: Largest number of faces per frame.
    """

    def __init__(self, *, is_video: bool = True, max_faces: int = MAX_FACES) -> None:
        self._is_video = is_video
        self._max_faces = max_faces
        self._next_number = 0
        self.reset()

    def track(self, pixels: Pixels) -> list[TrackedFace]:
        """See `LandmarkTracker`."""
        if pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"expected three-channel RGB pixels, got the shape {pixels.shape}")
        if not self._is_video:
            self.reset()
        faces = self._follow(pixels)
        if self._is_search_due(len(faces)):
            faces += self._find_new(pixels, faces)
        self._frame += 1
        self._seen |= {face.number: (face.landmarks, self._frame) for face in faces}
        self._seen = {n: seen for n, seen in self._seen.items() if self._frame - seen[1] <= MEMORY}
        self._faces = faces
        return list(faces)

    def reset(self) -> None:
        """See `LandmarkTracker`."""
        self._frame = 0
        self._faces: list[TrackedFace] = []
        self._seen: dict[int, tuple[FloatArray, int]] = {}  # by number: last landmarks, frame in which they were seen

    def close(self) -> None:
        """See `LandmarkTracker`; the models stay for the next tracker of the thread."""
        self.reset()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _follow(self, pixels: Pixels) -> list[TrackedFace]:
        """Look for each face where it was in the frame before."""
        looks = [(face.number, see_face(pixels, face_region(face.landmarks))) for face in self._faces]
        faces = [TrackedFace(seen.landmarks, seen.presence, number) for number, seen in looks]
        return _without_repeats([face for face in faces if face.presence >= MIN_PRESENCE])

    def _is_search_due(self, num_faces: int) -> bool:
        if num_faces >= self._max_faces:
            return False
        return num_faces == 0 or self._frame % SEARCH_INTERVAL == 0

    def _find_new(self, pixels: Pixels, known: list[TrackedFace]) -> list[TrackedFace]:
        """Search the picture for faces that are not followed yet."""
        is_thorough = not known and self._frame % SEARCH_INTERVAL == 0
        regions = [face_region(face.landmarks) for face in known]
        found: list[TrackedFace] = []
        for detections in search_faces(pixels, is_thorough=is_thorough):
            for detection in detections:
                if all(shared_area(detection.region, region) < SAME_FACE for region in regions):
                    seen = settle_face(pixels, detection.region)
                    if seen is not None:
                        found.append(TrackedFace(seen.landmarks, seen.presence))
            if found:
                break
        found = _without_repeats(found)[: self._max_faces - len(known)]
        taken = {face.number for face in known}
        numbered = []
        for face in found:
            number = self._recognise(face, taken)
            taken.add(number)
            numbered.append(replace(face, number=number))
        return numbered

    def _recognise(self, face: TrackedFace, taken: set[int]) -> int:
        """Give a new face the number of a lost one that was near, or the next number."""
        left, _, right, _ = face_box(face.landmarks)
        centre, width = face.landmarks[:, :2].mean(0), right - left
        distances = {
            number: float(np.linalg.norm(landmarks[:, :2].mean(0) - centre)) / width
            for number, (landmarks, _) in self._seen.items()
            if number not in taken
        }
        nearest = min(distances, key=lambda number: distances[number], default=None)
        if nearest is not None and distances[nearest] < MAX_STEP:
            return nearest
        self._next_number += 1
        return self._next_number - 1


def face_box(landmarks: FloatArray) -> tuple[float, float, float, float]:
    """Compute the bounding box of a face.

    Args:
        landmarks: Landmarks (478, 2 or 3) in pixels.

    Returns:
        Left, top, right and bottom of the face's oval in pixels.
    """
    oval = landmarks[list(FACE_OVAL), :2]
    (left, top), (right, bottom) = oval.min(0), oval.max(0)
    return float(left), float(top), float(right), float(bottom)


def _without_repeats(faces: list[TrackedFace]) -> list[TrackedFace]:
    """Keep the surest of the faces that lie on each other."""
    kept: list[TrackedFace] = []
    for face in sorted(faces, key=lambda face: -face.presence):
        region = face_region(face.landmarks)
        if all(shared_area(region, face_region(other.landmarks)) < SAME_FACE for other in kept):
            kept.append(face)
    return kept
