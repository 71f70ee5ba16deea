"""Training pairs of a renderer: source frame, driving frame and the coarse frame made of them.

The coarse generator is frozen, so its frames are made once, on all cores, stored in one file and read by row.
"""

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fadm.data.clips import Face, read_face
from fadm.data.pairs.generators import CoarsePair, PairGenerator
from fadm.data.pairs.stills import StillPairGenerator
from fadm.data.shards import Pixels, TrackedClip
from fadm.errors import InputError, OutputError
from fadm.face.topology import NUM_LANDMARKS
from fadm.files import explain_failure, replace_file
from fadm.processes import leave_interrupts_to_parent

STORED = ("coarse", "person", "confidence", "landmarks", "still", "attributes")  # of a pair, where it has them


@dataclass(frozen=True, kw_only=True)
class PairOptions:
    """Which pairs are made of each clip.

    Attributes:
        size: Side of the pictures, pixels.
        sources_per_clip: Source frames drawn from each clip.
        drivings_per_source: Driving frames drawn for each source frame.
        mirrored: Whether as many pairs are made of the mirrored clip.
        augmented: Share of the pairs whose coarse frame is jittered.
        seed: Seed of all these draws.
    """

    size: int = 256
    sources_per_clip: int = 8
    drivings_per_source: int = 4
    mirrored: bool = True
    augmented: float = 0.25
    seed: int = 0


class CoarsePairs:
    """The stored pairs of some clips; made by `build_coarse_pairs`."""

    def __init__(self, clips: Sequence[TrackedClip], options: PairOptions, path: Path) -> None:
        self.clips, self.options, self.path = clips, options, path
        self.rows = np.load(path, mmap_mode="r")

    def __reduce__(self) -> tuple[Any, ...]:
        """Let another process map the file itself; a pickled map would hold all of its bytes."""
        return CoarsePairs, (self.clips, self.options, self.path)

    def __len__(self) -> int:
        return len(self.rows)

    def frames(self, row: int) -> tuple[Pixels, Face]:
        """Read the source and the driving frame of a pair.

        Args:
            row: Row of the pair.

        Returns:
            Source picture (S, S, 3), and the driving frame with its landmarks.
        """
        record = self.rows[row]
        clip, size, mirrored = self.clips[_clip_of(row, self.options)], self.options.size, bool(record["mirrored"])
        driving = read_face(clip, int(record["driving"]), size, mirrored)
        if "still" in _stored_names(record):
            return np.array(record["still"]), driving
        return read_face(clip, int(record["source"]), size, mirrored).pixels, driving

    def coarse(self, row: int) -> CoarsePair:
        """Read the stored coarse frame and attributes of a pair.

        Args:
            row: Row of the pair.

        Returns:
            The stored pair.
        """
        record = self.rows[row]
        return CoarsePair(**{name: np.array(record[name]) for name in _stored_names(record)})

    def groups(self) -> list[list[int]]:
        """Group the rows by identity."""
        people: dict[str, list[int]] = {}
        for row in range(len(self.rows)):
            people.setdefault(self.clips[_clip_of(row, self.options)].identity, []).append(row)
        return list(people.values())


def build_coarse_pairs(
    clips: Sequence[TrackedClip],
    options: PairOptions,
    make: PairGenerator | StillPairGenerator,
    folder: Path,
    *,
    workers: int = 1,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> CoarsePairs:
    """Make the pairs of some clips that are not stored yet.

    Interrupted and called again, it resumes: a row is complete when its checksum is right. The file's name is a hash
    of everything that the pairs are made of.

    Args:
        clips: The clips; for a maker of pairs of stills, these.
        options: Which pairs are made.
        make: Makes the coarse frames.
        folder: Folder of the stored pairs.
        workers: Number of processes.
        report: Called with the number of finished clips and their total.

    Returns:
        The pairs.

    Raises:
        InputError: There is no clip, or a clip has fewer than two frames.
        OutputError: The disk has too little space.
    """
    short = [clip.key for clip in clips if len(clip.pictures) < 2 and "still" not in make.layers]
    if short or not clips:
        raise InputError(f"pairs need clips of at least 2 frames; too short: {', '.join(short[:3]) or 'no clip given'}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"pairs-{_digest(clips, options, make)}.npy"
    if not path.exists():
        with replace_file(path) as temporary:
            _allocate(temporary, _row_type(options, make.layers), len(clips) * _rows_per_clip(options))
    jobs = [(clip, number, options, make, path) for number, clip in enumerate(clips)]
    if workers == 1:
        for done, job in enumerate(jobs):
            _fill_clip(*job)
            report(done + 1, len(jobs))
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin_worker) as pool:
            try:
                with leave_interrupts_to_parent():  # submitting starts the processes
                    futures = [pool.submit(_fill_clip, *job) for job in jobs]
                for done, future in enumerate(as_completed(futures)):
                    future.result()
                    report(done + 1, len(jobs))
            finally:
                pool.shutdown(cancel_futures=True)  # a mistake or Ctrl-C does not wait for the other clips
    return CoarsePairs(clips, options, path)


def _allocate(path: Path, row_type: np.dtype, num_rows: int) -> None:
    """Make an empty file of all rows and reserve its space on the disk."""
    size = num_rows * row_type.itemsize
    if shutil.disk_usage(path.parent).free < size:
        raise OutputError(f"the pairs need {size / 1e9:.1f} GB in {path.parent}; make space or set data.cache")
    np.lib.format.open_memmap(path, "w+", row_type, (num_rows,)).flush()
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file, explain_failure(path):
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _fill_clip(
    clip: TrackedClip, number: int, options: PairOptions, make: PairGenerator | StillPairGenerator, path: Path
) -> None:
    """Make the missing rows of one clip, one source at a time."""
    rows = np.load(path, mmap_mode="r+")
    size = None if "still" in make.layers else options.size
    first = number * _rows_per_clip(options)
    for mirrored in (False, True)[: 1 + options.mirrored]:
        for place in range(options.sources_per_clip):
            part = slice(first, first + options.drivings_per_source)
            first = part.stop
            if all(record["checksum"] == _checksum(record) for record in rows[part]):
                continue
            rng = np.random.default_rng((options.seed, zlib.crc32(clip.key.encode()), mirrored, place))
            source, *drivings = _draw_frames(rng, len(clip.pictures), options.drivings_per_source)
            faces = [read_face(clip, frame, size, mirrored) for frame in (source, *drivings)]
            for row, frame, pair in zip(rows[part], drivings, make(faces[0], faces[1:], rng), strict=True):
                for name in _stored_names(row):
                    row[name] = getattr(pair, name)
                row["source"], row["driving"], row["mirrored"] = source, frame, mirrored
                row["checksum"] = _checksum(row)  # last: it marks the row as complete


def _draw_frames(rng: np.random.Generator, num_frames: int, num_drivings: int) -> list[int]:
    """Draw a source and other driving frames, each more than once only when there are too few."""
    if num_frames == 1:
        return [0] * (1 + num_drivings)
    source = int(rng.integers(num_frames))
    others = rng.permutation([frame for frame in range(num_frames) if frame != source])
    return [source, *np.resize(others, num_drivings).tolist()]


def _row_type(options: PairOptions, layers: Sequence[str]) -> np.dtype:
    size = options.size
    kinds = {
        "person": ("u1", (2, size, size)),
        "confidence": ("u1", (size, size)),
        "landmarks": ("f4", (3, NUM_LANDMARKS, 3)),
        "still": ("u1", (size, size, 3)),
    }
    return np.dtype(
        [
            ("coarse", "u1", (size, size, 3)),
            *((layer, *kinds[layer]) for layer in layers),
            ("attributes", "f4", (2, 56)),
            ("source", "i4"),
            ("driving", "i4"),
            ("mirrored", "?"),
            ("checksum", "u4"),
        ]
    )


def _rows_per_clip(options: PairOptions) -> int:
    return (1 + options.mirrored) * options.sources_per_clip * options.drivings_per_source


def _clip_of(row: int, options: PairOptions) -> int:
    return row // _rows_per_clip(options)


def _stored_names(record: np.void) -> list[str]:
    """List the fields of a pair that a row holds."""
    return [name for name in STORED if name in (record.dtype.names or ())]


def _checksum(record: np.void) -> int:
    """Compute the checksum of a stored pair; never 0, which marks a missing row."""
    content = b"".join(record[name].tobytes() for name in _stored_names(record))
    return zlib.crc32(content) or 1


def _digest(clips: Sequence[TrackedClip], options: PairOptions, make: PairGenerator | StillPairGenerator) -> str:
    """Hash what the pairs are made of: clips with their pictures' sizes and landmarks, options, generator."""
    sizes: list[Any] = [
        (clip.key, [picture.size for picture in clip.pictures], zlib.crc32(clip.landmarks.tobytes())) for clip in clips
    ]
    content = json.dumps([sizes, asdict(options), make.name], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _begin_worker() -> None:
    torch.set_num_threads(1)
