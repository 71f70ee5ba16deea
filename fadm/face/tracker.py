"""All faces of a picture, or of a video from frame to frame: detectors, landmark network, and who is who.

A face that is followed is looked for where its own landmarks were in the frame before; the detectors search only
where no face is followed, and now and then for faces that have entered.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fadm.face.appearance import describe_looks
from fadm.face.detector import FULL_RANGE, MODELS, QUARTER_TURNS, Detection, search_faces
from fadm.face.landmarker import MIN_PRESENCE, LocatedFace, measure_lean, see_face, settle_face
from fadm.face.people import People, Sighting
from fadm.face.region import Region, shared_area
from fadm.face.topology import FACE_OVAL

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

MAX_FACES = 4
SAME_FACE = 0.4  # regions that share more than this part of their union show one face
LARGEST_ODDS = 12  # log-odds of presence; beyond it the network is sure of wrong faces, too
ODDS_WEIGHT = 0.03  # of these log-odds, beside the detector's score
UPRIGHT = math.radians(60)  # a face that is turned less
UPRIGHT_BONUS = 0.03  # added to the score of such a face: most are
PART = 0.6  # a face within another one whose region is smaller than this share of the other's is a part of it
SEARCH_INTERVAL = 20  # frames after which a video is searched for further faces
LOST_INTERVAL = 5  # frames between the searches for a face that was lost a short while ago
LOST_LATELY = 60  # frames
LOOKS_INTERVAL = 5  # frames after which it is checked who a followed face is
CONTACT = 0.02  # regions that share more than this part of their union may change their faces
AFTER_CONTACT = 10  # frames in which it is checked who is who


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
            The faces, in no particular order. A RuntimeError or ValueError counts as a frame without a face.
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
        self._people = People()
        self._faces: list[tuple[LocatedFace, int]] = []  # with their numbers
        self.reset()

    def track(self, pixels: Pixels) -> list[TrackedFace]:
        """See `LandmarkTracker`."""
        if pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"expected three-channel RGB pixels, got the shape {pixels.shape}")
        pixels = np.require(pixels, requirements=["C", "W"])  # PIL's are read-only, of which torch warns
        if not self._is_video:
            return [TrackedFace(f.landmarks, f.presence, i) for i, f in enumerate(self._find_new(pixels, []))]
        followed = self._follow(pixels)
        if self._is_search_due(len(followed)):
            followed += [_Found(face, None) for face in self._find_new(pixels, [found.face for found in followed])]
        self._faces = self._tell_apart(followed)
        self._frame += 1
        return [
            TrackedFace(face.landmarks, face.presence, number)
            for face, number in self._faces
            if not self._people.is_mistaken(number)
        ]

    def reset(self) -> None:
        """See `LandmarkTracker`."""
        self._frame = 0
        self._last_contact = -AFTER_CONTACT
        self._faces.clear()
        self._people.reset()

    def close(self) -> None:
        """See `LandmarkTracker`; the models stay for the next tracker of the thread."""
        self.reset()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _follow(self, pixels: Pixels) -> list["_Found"]:
        """Look for each face where it was in the frame before."""
        looks = [_Found(see_face(pixels, face.region), number) for face, number in self._faces]
        found: list[_Found] = []
        for look in sorted(looks, key=lambda look: -look.face.presence):
            is_seen = look.face.presence >= MIN_PRESENCE
            if is_seen and not _is_among(look.face.region, [other.face.region for other in found]):
                found.append(look)
        if len(found) < len(looks):
            self._last_contact = self._frame
        return found

    def _is_search_due(self, num_faces: int) -> bool:
        if num_faces >= self._max_faces:
            return False
        if num_faces == 0 or self._frame % SEARCH_INTERVAL == 0:
            return True
        seen = {number for _, number in self._faces}
        lost = any(p.number not in seen and self._frame - p.frame < LOST_LATELY for p in self._people.known.values())
        return lost and self._frame % LOST_INTERVAL == 0

    def _find_new(self, pixels: Pixels, known: list[LocatedFace]) -> list[LocatedFace]:
        """Search the picture for faces that are not followed yet."""
        is_thorough = not known and self._frame % SEARCH_INTERVAL == 0
        turns = QUARTER_TURNS if is_thorough else self._usual_turns()
        models = (FULL_RANGE,) if known else MODELS  # beside a face that is followed no other one fills the window
        taken = [face.region for face in known]
        found: list[_Candidate] = []
        for detections in search_faces(pixels, models=models, turns=turns, is_thorough=is_thorough):
            for detection in detections:
                face = None if _is_among(detection.region, taken) else settle_face(pixels, detection.region)
                if face is not None:
                    found.append(_Candidate(face, detection))
            if found:
                break
        whole = [one for one in found if not any(_is_part(one.face.region, other.face.region) for other in found)]
        new: list[LocatedFace] = []
        for face, detection in sorted(whole, key=lambda one: -one.certainty):
            if not _is_among(face.region, taken) and not _is_among(detection.region, taken):
                new.append(face)
                taken.append(face.region)
        return new[: self._max_faces - len(known)]

    def _usual_turns(self) -> list[float]:
        """Upright, and as the people of the shot were turned when they were last seen."""
        angles = [measure_lean(person.landmarks) for person in self._people.known.values()]
        quarters = {round(angle / QUARTER_TURNS[1]) % len(QUARTER_TURNS) for angle in angles}
        return [QUARTER_TURNS[quarter] for quarter in sorted({0, *quarters})]

    def _tell_apart(self, found: list["_Found"]) -> list[tuple[LocatedFace, int]]:
        """Number the faces of a frame: as they were followed, and from time to time by what they look like."""
        regions = [face.region for face, _ in found]
        is_covered = [any(a is not b and shared_area(a, b) > CONTACT for b in regions) for a in regions]
        if any(is_covered):
            self._last_contact = self._frame
        is_due = self._frame - self._last_contact < AFTER_CONTACT or self._frame % LOOKS_INTERVAL == 0
        looks = {
            i: describe_looks(face)
            for i, (face, number) in enumerate(found)
            if is_due or number is None or self._people.is_in_doubt(number)
        }
        sightings = [Sighting(look, found[i].number, is_covered[i]) for i, look in looks.items()]
        numbers = dict(enumerate(number for _, number in found))
        others = [number for i, number in numbers.items() if i not in looks and number is not None]
        numbers |= dict(zip(looks, self._people.tell_apart(sightings, others), strict=True))
        faces = []
        for i, number in numbers.items():
            if number is not None:
                face = found[i].face
                self._people.remember(number, face.landmarks, self._frame, None if is_covered[i] else looks.get(i))
                faces.append((face, number))
        return faces


class _Found(NamedTuple):
    """A face in a frame, and the number that it was followed as; None where a search found it."""

    face: LocatedFace
    number: int | None


class _Candidate(NamedTuple):
    """A new face, and the detection that led to it."""

    face: LocatedFace
    detection: Detection

    @property
    def certainty(self) -> float:
        """How sure it is that a face is there and stands this way up."""
        presence = self.face.presence
        odds = LARGEST_ODDS if presence == 1 else min(math.log(presence / (1 - presence)), LARGEST_ODDS)
        is_upright = abs(self.face.region.angle) < UPRIGHT
        return self.detection.score + ODDS_WEIGHT * odds + UPRIGHT_BONUS * is_upright


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


def _is_among(region: Region, regions: list[Region]) -> bool:
    return any(shared_area(region, other) >= SAME_FACE for other in regions)


def _is_part(region: Region, other: Region) -> bool:
    """Whether a region is only a part of another face, such as its mouth."""
    away = max(abs(region.x - other.x), abs(region.y - other.y))
    return region.side < PART * other.side and away < other.side / 3
