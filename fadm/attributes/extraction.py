"""Extract a driver's motion: tracking, smoothing, scene cuts and the fit of the face model, frame by frame."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.attributes.face_attributes import NUM_EXPRESSION, FaceAttributes
from fadm.attributes.landmark_model import LandmarkModel
from fadm.attributes.motion import Motion
from fadm.blendshapes import NUM_BLENDSHAPES
from fadm.errors import FaceError
from fadm.face.coefficients import estimate_blendshapes
from fadm.face.cuts import CutDetector
from fadm.face.selection import choose_face
from fadm.face.smoothing import OneEuroFilter
from fadm.face.tracker import LandmarkTracker, TrackedFace
from fadm.media.frames import Frame, FrameSource

FloatArray = NDArray[np.float32]

CHUNK = 32  # frames fitted at once; the first chunk of a shot gives its identity
PATIENCE = 15  # frames to wait for a lost face before another one is chosen

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
    _cuts: CutDetector = field(default_factory=CutDetector)
    _followed: int | None = None
    _absent: int = 0

    def follow(self, frame: Frame) -> FloatArray | None:
        """Find the followed face in the next frame.

        Args:
            frame: The frame.

        Returns:
            Landmarks (478, 3) in pixels, None where the frame does not show the face.

        Raises:
            FaceError: The first frame with a face does not show the chosen one.
        """
        if self.is_stills:
            return self._find(frame)
        if self._cuts.is_cut(frame.pixels) or not self.num_shots:
            self.num_shots += 1
            self._followed = None
            self.tracker.reset()
            self.smoothing.reset()
        faces = self._track(frame.pixels)
        ids = [face.number for face in faces]
        if self._followed not in ids:
            self._absent += 1
            self.smoothing.reset()
            if not faces or (self._followed is not None and self._absent <= PATIENCE):
                return None
            chosen = self._choose(faces)
            if chosen is None:
                return None
            self._followed = ids[chosen]
        self._absent = 0
        return self.smoothing(faces[ids.index(self._followed)].landmarks, float(frame.time))

    def _find(self, frame: Frame) -> FloatArray | None:
        """Find the landmarks of the chosen face of a still."""
        self.num_shots = 1  # one person, one identity
        faces = self._track(frame.pixels)
        chosen = self._choose(faces) if faces else None
        if chosen is None:
            return None
        self._followed = chosen
        return faces[chosen].landmarks

    def _track(self, pixels: NDArray[np.uint8]) -> list[TrackedFace]:
        """Find all faces; a frame on which the tracker fails counts as one without a face."""
        try:
            faces = self.tracker.track(pixels)
        except (RuntimeError, ValueError):
            self.num_crashes += 1
            self.tracker.reset()
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
    for frame in frames:
        landmarks = follower.follow(frame)
        if shots and follower.num_shots - 1 != shots[-1]:
            fitter.end_shot()
        fitter.add(landmarks)
        blendshapes.append(_NO_BLENDSHAPES if landmarks is None else estimate_blendshapes(landmarks))
        pts.append(frame.pts)
        shots.append(follower.num_shots - 1)
        on_frame()
    fitter.end_shot()
    attributes, is_tracked, identity = fitter.result()
    if not is_tracked.any():
        choose_face([], follower.choice, f"{follower.where} ({len(pts)} frames)")
    return Motion(
        attributes,
        is_tracked,
        torch.tensor(shots),
        identity,
        torch.tensor(pts),
        frames.time_base,
        frames.rate,
        torch.from_numpy(np.stack(blendshapes)),
    )


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
        rows = [torch.zeros(count, width) for width in (NUM_EXPRESSION, 6, 3, 4)]
        if is_tracked.any():
            faces = torch.from_numpy(np.stack([face for face in self._pending if face is not None]))
            fitted, self._identity = self._model.fit(faces, self._identity)
            for row, f in zip(rows, fields(FaceAttributes), strict=True):
                row[is_tracked] = getattr(fitted, f.name)
        self._fitted.append(FaceAttributes(*rows))
        self._is_tracked += is_tracked.tolist()
        self._pending.clear()
