"""A plain folder of videos, pictures and folders of frames as clips: what results in another folder should be."""

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

UNTRACKED = np.zeros((0, NUM_LANDMARKS, 3), np.float32)  # the faces are looked for when they are asked for


@dataclass
class Film:
    """A file or folder of frames that is read in order; an earlier frame begins it anew, the last one closes it."""

    path: Path
    num_frames: int
    _coming: Iterator[Any] = field(default_factory=lambda: iter(()))
    _next: int = 0
    _last: Pixels | None = None

    def read(self, frame: int) -> Pixels:
        """The pixels (H, W, 3) of a frame by its number. Raises InputError where the file does not hold it any more."""
        if self._last is None or frame < self._next - 1:
            self._coming, self._next = iter(open_frames(self.path)), 0
        while self._next <= frame:
            coming = next(self._coming, None)
            if coming is None:
                raise InputError(f"'{self.path}' has no frame {frame} any more; it was changed while it was measured")
            self._last, self._next = coming.pixels, self._next + 1
        if self._next == self.num_frames:
            self._coming = iter(())
        assert self._last is not None
        return self._last


@dataclass(frozen=True)
class FilmPicture:
    """One frame of a film; size: bytes of the whole film, by which a changed one is known."""

    film: Film
    frame: int
    size: int

    def read(self) -> Pixels:
        """The picture (H, W, 3) RGB."""
        return self.film.read(self.frame)


def read_truth(folder: Path, progress: Progress = NO_PROGRESS) -> list[TrackedClip]:
    """A clip for each video, picture or folder of frames right in the folder, by its name; every frame is counted.

    Raises InputError for a folder without any, for two of one name and for a file that cannot be read or leaves out
    damaged frames.
    """
    files = {name: path for name, path in name_files(folder).items() if holds_frames(path)}
    progress.stage("counting frames", len(files))
    clips = []
    for name, path in files.items():
        clips.append(_read_clip(name, path))
        progress.advance()
    if not clips:
        raise InputError(f"'{folder}' holds no video, no picture and no folder of frames; give the true ones")
    return clips


def _read_clip(name: str, path: Path) -> TrackedClip:
    source = open_frames(path)
    is_whole = [decoded is not None for decoded in source.decode(lambda number: False)]
    num_frames = len(is_whole)
    if not all(is_whole):
        raise InputError(f"'{path}' has {is_whole.count(False)} damaged frames; what results should be must be whole")
    film, size = Film(path, num_frames), size_of(path)
    info = {"frames_per_second": float(source.rate)} if path.is_file() and num_frames > 1 else {}
    pictures: Any = tuple(FilmPicture(film, frame, size) for frame in range(num_frames))
    return TrackedClip(name, UNTRACKED, info, pictures)
