"""Extract a driver's motion: tracking, smoothing, scene cuts and the fit of the face model, frame by frame."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.attributes.face_attributes import NUM_EXPRESSION, FaceAttributes
from fadm.attributes.landmark_model import LandmarkModel
from fadm.attributes.motion import Motion
from fadm.blendshapes import NUM_BLENDSHAPES
from fadm.device import read_ahead
from fadm.errors import FaceError, TurnedFaceError
from fadm.face.coefficients import estimate_blendshapes
from fadm.face.cuts import Change, Thumbnail, changed_share, mark_changes
from fadm.face.landmarker import face_region
from fadm.face.people import DOUBTS
from fadm.face.region import count_turns
from fadm.face.selection import choose_face
from fadm.face.smoothing import OneEuroFilter
from fadm.face.tracker import LandmarkTracker, TrackedFace
from fadm.media.frames import Frame, FrameSource

FloatArray = NDArray[np.float32]

CHUNK = 32  # frames fitted at once; the first chunk of a shot gives its identity
MIN_PRESENCE = 0.8  # of a face whose landmarks are followed; what a picture's edge cuts in half is guessed
PATIENCE = 50  # frames to wait for a lost face before somebody who has come since is followed
STEADY_FRAMES = 5  # in which such a newcomer must have been seen
LONGEST_FADE = 50  # frames in which one scene may pass into another
OTHER_SCENE = 0.6  # share of the picture that has changed then

_NO_BLENDSHAPES = np.zeros(NUM_BLENDSHAPES, np.float32)


@dataclass
class FaceFollower:
    """Follows one face through a video, or finds it in each of several stills.

    Attributes:
        tracker: Finds all faces of a frame.
        choice: Face that is followed, as in `choose_face`.
        smoothing: Filter of the landmarks over time.
        where: Name of the driver in errors.
        is_stills: The frames are separate pictures of one person: no scene cuts, no smoothing, no tracking.
        num_crashes: Frames on which the tracker failed.
        num_shots: Number of shots so far.
    """

    tracker: LandmarkTracker
    choice: str
    smoothing: OneEuroFilter
    where: str
    is_stills: bool = False
    num_crashes: int = 0
    num_shots: int = 0
    _followed: int | None = None
    _absent: int = 0
    _known: set[int] = field(default_factory=set)  # people seen until the followed one was lost
    _newcomers: dict[int, int] = field(default_factory=dict)  # frames in which each was seen since then
    _thumbnails: deque[Thumbnail] = field(default_factory=lambda: deque(maxlen=LONGEST_FADE))

    def follow(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, FloatArray | None, int]]:
        """Find the followed face in each frame.

        Args:
            frames: The frames of a driver.

        Yields:
            The frame, landmarks (478, 3) in pixels, None where the frame does not show the face, and the number of the
            shot, from 0.

        Raises:
            FaceError: The first frame with a face does not show the chosen one, or it is not upright there.
        """
        if self.is_stills:
            for frame in frames:
                yield frame, self._find(frame), 0
        else:
            for frame, change, thumbnail in mark_changes(frames, lambda frame: frame.pixels):
                landmarks = self._follow(frame, change, thumbnail)
                yield frame, landmarks, self.num_shots - 1

    def _follow(self, frame: Frame, change: Change, thumbnail: Thumbnail) -> FloatArray | None:
        if change is Change.FLASH:
            return None
        if change is Change.CUT or not self.num_shots:
            self.tracker.reset()
            self._begin_shot(None)
            self._thumbnails.clear()
        self._thumbnails.append(thumbnail)
        faces = {face.number: face for face in self._track(frame.pixels) if face.presence >= MIN_PRESENCE}
        if self._followed not in faces:
            self._absent += 1
            self.smoothing.reset()
            chosen = self._choose_other(list(faces.values()))
            if chosen is None:
                return None
            if self._followed is not None:
                self._begin_shot(chosen)
            elif self.num_shots == 1:
                self._check_upright(faces[chosen])
            self._followed = chosen
        self._absent = 0
        self._newcomers.clear()
        self._known.update(faces)
        return self.smoothing(faces[self._followed].landmarks, float(frame.time))

    def _begin_shot(self, followed: int | None) -> None:
        """Begin another shot, or the part of a shot from which on another person is followed."""
        self.num_shots += 1
        self._followed = followed
        self._absent = 0
        self.smoothing.reset()

    def _choose_other(self, faces: list[TrackedFace]) -> int | None:
        """Choose a face instead of the followed one: of somebody who has come since, never of a bystander."""
        if self._followed is not None:
            faces = [face for face in faces if face.number not in self._known]
            for face in faces:
                self._newcomers[face.number] = self._newcomers.get(face.number, 0) + 1
            is_other_scene = changed_share(self._thumbnails[0], self._thumbnails[-1]) > OTHER_SCENE
            if self._absent <= PATIENCE and not is_other_scene:
                return None
            faces = [face for face in faces if self._newcomers[face.number] >= STEADY_FRAMES]
        chosen = self._choose(faces) if faces else None
        return None if chosen is None else faces[chosen].number

    def _find(self, frame: Frame) -> FloatArray | None:
        """Find the landmarks of the chosen face of a still."""
        self.num_shots = 1  # one person, one identity
        faces = self._track(frame.pixels)
        chosen = self._choose(faces) if faces else None
        if chosen is None:
            return None
        if self._followed is None:
            self._check_upright(faces[chosen])
        self._followed = chosen
        return faces[chosen].landmarks

    def _check_upright(self, face: TrackedFace) -> None:
        turns = count_turns(face_region(face.landmarks))
        if turns:
            raise TurnedFaceError(self.where, turns)

    def _track(self, pixels: NDArray[np.uint8]) -> list[TrackedFace]:
        """Find all faces; a frame on which the tracker fails counts as one without a face."""
        try:
            faces = self.tracker.track(pixels)
        except (RuntimeError, ValueError):
            self.num_crashes += 1
            return []
        return [face for face in faces if np.isfinite(face.landmarks).all()]

    def _choose(self, faces: list[TrackedFace]) -> int | None:
        try:
            return choose_face([face.landmarks for face in faces], self.choice, self.where)
        except FaceError:
            if self.num_shots == 1 and self._followed is None:
                raise
            return None  # later, or in another shot, a missing face is a gap


def extract_motion(
    frames: FrameSource,
    follower: FaceFollower,
    model: LandmarkModel,
    on_frame: Callable[[], None] = lambda: None,
    identity: Tensor | None = None,
) -> Motion:
    """Track and fit every frame of a driver; pictures are not kept.

    Reading, tracking and fitting run in a thread each.

    Args:
        frames: The driver's frames.
        follower: Follows the face.
        model: The face model that is fitted.
        on_frame: Called after each frame.
        identity: The driver's identity coefficients (1, I); None estimates them from the first frames of each shot.

    Returns:
        The motion.

    Raises:
        FaceError: No frame shows the chosen face.
    """
    fitter = _ShotFitter(model, identity)
    blendshapes: list[FloatArray] = []
    pts: list[int] = []
    shots: list[int] = []
    for frame, landmarks, shot in read_ahead(follower.follow(read_ahead(frames))):
        if shots and shot != shots[-1]:
            fitter.end_shot()
        fitter.add(landmarks)
        blendshapes.append(_NO_BLENDSHAPES if landmarks is None else estimate_blendshapes(landmarks))
        pts.append(frame.pts)
        shots.append(shot)
        on_frame()
    fitter.end_shot()
    attributes, is_tracked, identity = fitter.result()
    if not is_tracked.any():
        choose_face([], follower.choice, f"{follower.where} ({len(pts)} frames)")
    numbers = torch.tensor(shots)
    return Motion(
        attributes,
        _leave_out_fading(is_tracked, numbers),
        numbers,
        identity,
        torch.tensor(pts),
        frames.time_base,
        frames.rate,
        torch.from_numpy(np.stack(blendshapes)),
    )


def _leave_out_fading(is_tracked: Tensor, shot: Tensor) -> Tensor:
    """Count the last faces of a person who is lost before another takes over as gaps (T,): they mix the two."""
    kept = is_tracked.clone()
    for number in range(int(shot[-1])):
        frames = torch.nonzero(shot == number)[:, 0]
        if not is_tracked[frames[-1]]:
            kept[frames[is_tracked[frames]][1:][-DOUBTS:]] = False
    return kept


class _ShotFitter:
    """Fits frames in chunks; the first chunk of a shot also gives the identity, where it is not known."""

    def __init__(self, model: LandmarkModel, known: Tensor | None):
        self._model = model
        self._known = self._identity = known
        self._pending: list[FloatArray | None] = []
        self._fitted: list[FaceAttributes] = []
        self._is_tracked: list[bool] = []
        self._identities: list[Tensor] = []

    def add(self, landmarks: FloatArray | None) -> None:
        self._pending.append(landmarks)
        if len(self._pending) >= CHUNK:
            self._fit()

    def end_shot(self) -> None:
        self._fit()
        no_one = torch.zeros(1, self._model.config.num_identity)
        self._identities.append(no_one if self._identity is None else self._identity)
        self._identity = self._known

    def result(self) -> tuple[FaceAttributes, Tensor, Tensor]:
        rows = [torch.cat([getattr(a, f.name) for a in self._fitted]) for f in fields(FaceAttributes)]
        return FaceAttributes(*rows), torch.tensor(self._is_tracked), torch.cat(self._identities)

    def _fit(self) -> None:
        is_tracked = torch.tensor([face is not None for face in self._pending], dtype=torch.bool)
        count = len(self._pending)
        rows = [torch.zeros(count, width) for width in (NUM_EXPRESSION, 6, 3, 4, 2)]
        if is_tracked.any():
            faces = torch.from_numpy(np.stack([face for face in self._pending if face is not None]))
            fitted, self._identity = self._model.fit(faces, self._identity)
            for row, f in zip(rows, fields(FaceAttributes), strict=True):
                row[is_tracked] = getattr(fitted, f.name)
        self._fitted.append(FaceAttributes(*rows))
        self._is_tracked += is_tracked.tolist()
        self._pending.clear()
