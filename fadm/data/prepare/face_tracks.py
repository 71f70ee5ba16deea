"""From a video's frames to face tracks: the landmarks of one person during a shot, or a part of it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fadm.face.cuts import Change, mark_changes
from fadm.face.tracker import LandmarkTracker, TrackedFace
from fadm.media.frames import Frame, FrameSource

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]


def select_frames(frames: Iterable[Frame], is_wanted: Callable[[int], bool]) -> Iterator[tuple[int, Frame]]:
    """Select frames by their numbers.

    Args:
        frames: Frames of a video; those of a file are decoded only as far as needed.
        is_wanted: Says for a number, from 0, whether its frame is wanted.

    Returns:
        Numbers and frames, in order.
    """
    if isinstance(frames, FrameSource):
        return frames.select(is_wanted)
    return ((number, frame) for number, frame in enumerate(frames) if is_wanted(number))


@dataclass
class FaceTrack:
    """One person in one shot: the landmarks in each sampled frame that shows the face.

    Attributes:
        shot: Number of the shot in the video, from 0.
        person: Number of the person in the shot, from 0.
        began: Seconds at the first frame that shows the face.
        first_sampled: Number of that frame among the sampled ones.
        ended: Seconds at the last frame that shows the face.
        last_sampled: Number of that frame among the sampled ones.
        numbers: Numbers of the frames that show the face, in the video.
        landmarks: Their landmarks, (478, 3) in pixels each.
    """

    shot: int
    person: int
    began: float
    first_sampled: int
    ended: float = 0.0
    last_sampled: int = 0
    numbers: list[int] = field(default_factory=list)
    landmarks: list[FloatArray] = field(default_factory=list)

    @property
    def num_sampled(self) -> int:
        """How many frames were sampled from the first to the last that shows the face."""
        return self.last_sampled - self.first_sampled + 1

    def add(self, sampled: int, number: int, time: float, landmarks: FloatArray) -> None:
        """Add a frame that shows the face.

        Args:
            sampled: Its number among the sampled frames.
            number: Its number in the video.
            time: Its time in seconds.
            landmarks: Landmarks (478, 3) in pixels.
        """
        self.last_sampled, self.ended = sampled, time
        self.numbers.append(number)
        self.landmarks.append(landmarks)


@dataclass
class FaceTrackCollector:
    """Tracks faces through sampled frames, and closes a track where its shot or its time ends.

    Attributes:
        tracker: Finds the landmarks of the faces in a frame.
        stride: Every `stride`-th frame is sampled.
        longest: Seconds after which a track is closed.
        most_frames: Frames after which a track is closed; None without a limit.
        num_shots: Shots so far.
        ended: Seconds at the last sampled frame.
    """

    tracker: LandmarkTracker
    stride: int
    longest: float
    most_frames: int | None = None
    num_shots: int = 0
    ended: float = 0.0
    _num_sampled: int = 0
    _open: dict[int, FaceTrack] = field(default_factory=dict)  # by the face's id
    _people: dict[int, int] = field(default_factory=dict)  # the face's id -> its number in the shot

    def collect(self, frames: Iterable[Frame]) -> Iterator[FaceTrack]:
        """Track the faces of a video; only landmarks are kept in memory.

        Args:
            frames: All frames of the video.

        Yields:
            Face tracks in the order in which they end.
        """
        sampled = select_frames(frames, lambda number: number % self.stride == 0)
        for (number, frame), change, _ in mark_changes(sampled, lambda numbered: numbered[1].pixels):
            self.ended = float(frame.time)
            if change is Change.CUT or not self.num_shots:
                yield from self._end_shot()
            if change is Change.FLASH:
                self._num_sampled += 1
            else:
                yield from self._track(frame, number)
        yield from self._close(list(self._open))

    def _end_shot(self) -> Iterator[FaceTrack]:
        yield from self._close(list(self._open))
        self.num_shots += 1
        self._people.clear()
        self.tracker.reset()

    def _track(self, frame: Frame, number: int) -> Iterator[FaceTrack]:
        """Add a frame's faces to the open tracks, and yield those that are full before."""
        time, faces = float(frame.time), self._find_faces(frame.pixels)
        yield from self._close([i for i, track in self._open.items() if self._is_full(track, time)])
        for face in faces:
            if face.number not in self._open:
                person = self._people.setdefault(face.number, len(self._people))
                self._open[face.number] = FaceTrack(self.num_shots - 1, person, time, self._num_sampled)
            self._open[face.number].add(self._num_sampled, number, time, face.landmarks)
        self._num_sampled += 1

    def _is_full(self, track: FaceTrack, time: float) -> bool:
        return time - track.began >= self.longest or len(track.numbers) == self.most_frames

    def _close(self, face_ids: list[int]) -> Iterator[FaceTrack]:
        for face_id in face_ids:
            yield self._open.pop(face_id)

    def _find_faces(self, pixels: Pixels) -> list[TrackedFace]:
        """Find the faces in a frame; one on which the tracker fails counts as one without a face."""
        try:
            faces = self.tracker.track(pixels)
        except (RuntimeError, ValueError):
            return []
        return [face for face in faces if np.isfinite(face.landmarks).all()]
