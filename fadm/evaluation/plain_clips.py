"""A plain folder of videos, pictures and folders of frames as clips: the ground truth for results in another folder."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadm.data.shards import TrackedClip
from fadm.errors import InputError
from fadm.evaluation.result_folder import holds_frames, name_files, size_of
from fadm.face.topology import NUM_LANDMARKS
from fadm.media.reader import open_frames
from fadm.progress import NO_PROGRESS, Progress

Pixels = NDArray[np.uint8]

UNTRACKED = np.zeros((0, NUM_LANDMARKS, 3), np.float32)  # the tracker finds the faces on first use


@dataclass
class FrameReader:
    """Reads a file or folder of frames in order; an earlier frame reopens it, the last one closes it.

    Attributes:
        path: The file or folder.
        num_frames: Its number of frames.
    """

    path: Path
    num_frames: int
    _coming: Iterator[Any] = field(default_factory=lambda: iter(()))
    _next: int = 0
    _last: Pixels | None = None

    def read(self, frame: int) -> Pixels:
        """Read a frame.

        Args:
            frame: Its number, from 0.

        Returns:
            The pixels (H, W, 3) uint8 RGB.

        Raises:
            InputError: The file no longer holds the frame.
        """
        if self._last is None or frame < self._next - 1:
            self._coming, self._next = iter(open_frames(self.path)), 0
        while self._next <= frame:
            coming = next(self._coming, None)
            if coming is None:
                raise InputError(f"'{self.path}' no longer has a frame {frame}; it was changed during the evaluation")
            self._last, self._next = coming.pixels, self._next + 1
        if self._next == self.num_frames:
            self._coming = iter(())
        assert self._last is not None
        return self._last


@dataclass(frozen=True)
class PlainPicture:
    """One frame of a file or folder.

    Attributes:
        reader: Reads the frames.
        frame: Number of the frame, from 0.
        size: Bytes of the whole file or folder, which show that it was changed.
    """

    reader: FrameReader
    frame: int
    size: int

    def read(self) -> Pixels:
        """Read the picture (H, W, 3) uint8 RGB."""
        return self.reader.read(self.frame)


def read_plain_clips(folder: Path, progress: Progress = NO_PROGRESS) -> list[TrackedClip]:
    """Read each video, picture and folder of frames directly in a folder as a clip; every frame is decoded once.

    Args:
        folder: The folder.
        progress: Follows the work.

    Returns:
        Clips without landmarks, by the names of their files without the ending.

    Raises:
        InputError: There is none, two have the same name, or a file cannot be read or has damaged frames.
    """
    files = {name: path for name, path in name_files(folder).items() if holds_frames(path)}
    progress.stage("counting frames", len(files))
    clips = []
    for name, path in files.items():
        clips.append(_read_clip(name, path))
        progress.advance()
    if not clips:
        raise InputError(f"'{folder}' holds no video, no picture and no folder of frames; give the expected pictures")
    return clips


def _read_clip(name: str, path: Path) -> TrackedClip:
    source = open_frames(path)
    is_whole = [decoded is not None for decoded in source.decode(lambda number: False)]
    num_frames = len(is_whole)
    if not all(is_whole):
        raise InputError(f"'{path}' has {is_whole.count(False)} damaged frames; the expected pictures must be complete")
    reader, size = FrameReader(path, num_frames), size_of(path)
    info = {"frames_per_second": float(source.rate)} if path.is_file() and num_frames > 1 else {}
    pictures: Any = tuple(PlainPicture(reader, frame, size) for frame in range(num_frames))
    return TrackedClip(name, UNTRACKED, info, pictures)
