"""From a video's frames to pieces: the landmarks of one person during (a part of) one shot."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fadm.face.cuts import CutDetector
from fadm.face.selection import FaceIdentities
from fadm.face.tracker import LandmarkTracker
from fadm.media.frames import Frame, FrameSource

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]


def select_frames(frames: Iterable[Frame], is_wanted: Callable[[int], bool]) -> Iterator[tuple[int, Frame]]:
    """Some of the frames, with their numbers from 0."""
    if isinstance(frames, FrameSource):
        return frames.select(is_wanted)
    return ((number, frame) for number, frame in enumerate(frames) if is_wanted(number))


@dataclass
class FaceTrack:
    """One person in one shot: landmarks (478, 3) in pixels at each frame that shows the face.

    shot, person: counted from 0; numbers: the frames' places in the video; looks: how many frames were looked at
    from the first to the last; began, ended: seconds.
    """

    shot: int
    person: int
    began: float
    first_look: int
    ended: float = 0.0
    last_look: int = 0
    numbers: list[int] = field(default_factory=list)
    landmarks: list[FloatArray] = field(default_factory=list)

    @property
    def looks(self) -> int:
        """How many frames were looked at from the first to the last that shows the face."""
        return self.last_look - self.first_look + 1

    def add(self, look: int, number: int, time: float, landmarks: FloatArray) -> None:
        """Another frame that shows the face."""
        self.last_look, self.ended = look, time
        self.numbers.append(number)
        self.landmarks.append(landmarks)


@dataclass
class PieceCollector:
    """Tracks faces through the frames that are looked at, and closes a piece where its shot or its time ends.

    stride: every which frame is looked at; longest: seconds, most_frames: frames after which a piece is closed.
    """

    tracker: LandmarkTracker
    stride: int
    longest: float
    most_frames: int | None = None
    num_shots: int = 0
    ended: float = 0.0  # seconds at the last frame that was looked at
    _look: int = 0
    _open: dict[int, FaceTrack] = field(default_factory=dict)  # by the face's id
    _people: dict[int, int] = field(default_factory=dict)  # the face's id -> its number in the shot
    _cuts: CutDetector = field(default_factory=CutDetector)
    _identities: FaceIdentities = field(default_factory=FaceIdentities)

    def collect(self, frames: Iterable[Frame]) -> Iterator[FaceTrack]:
        """Pieces in the order in which they end; nothing of the frames is kept but landmarks."""
        for number, frame in select_frames(frames, lambda number: number % self.stride == 0):
            self.ended = float(frame.time)
            if self._cuts.is_cut(frame.pixels) or not self.num_shots:
                yield from self._end_shot()
            yield from self._look_at(frame, number)
        yield from self._close(list(self._open))

    def _end_shot(self) -> Iterator[FaceTrack]:
        yield from self._close(list(self._open))
        self.num_shots += 1
        self._people.clear()
        self.tracker.reset()
        self._identities.reset()

    def _look_at(self, frame: Frame, number: int) -> Iterator[FaceTrack]:
        time, faces = float(frame.time), self._track(frame.pixels)
        ids = self._identities.assign(faces)
        yield from self._close([i for i, piece in self._open.items() if self._is_full(piece, time)])
        for face_id, face in zip(ids, faces, strict=True):
            if face_id not in self._open:
                person = self._people.setdefault(face_id, len(self._people))
                self._open[face_id] = FaceTrack(self.num_shots - 1, person, time, self._look)
            self._open[face_id].add(self._look, number, time, face)
        self._look += 1

    def _is_full(self, piece: FaceTrack, time: float) -> bool:
        return time - piece.began >= self.longest or len(piece.numbers) == self.most_frames

    def _close(self, face_ids: list[int]) -> Iterator[FaceTrack]:
        for face_id in face_ids:
            yield self._open.pop(face_id)

    def _track(self, pixels: Pixels) -> list[FloatArray]:
        """A frame on which the tracker fails counts as one without a face."""
        try:
            faces = self.tracker.track(pixels)
        except (RuntimeError, ValueError):
            self.tracker.reset()
            return []
        return [face for face in faces if np.isfinite(face).all()]
