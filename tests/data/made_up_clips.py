"""Tiny clips of made-up faces, and a coarse generator that costs nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fadm.data.clips import Face
from fadm.data.pairs.generators import CoarsePair
from fadm.data.shards import TrackedClip, read_tracked_clips
from fadm.data.synthetic.clips import SyntheticOptions, write_synthetic_shards

SIDE = 64


def write_clips(folder: Path, clips: int = 3, frames: int = 4) -> list[TrackedClip]:
    """Clips of 64 pixels, of a person each."""
    options = SyntheticOptions(clips=clips, validation_clips=0, frames=frames, size=SIDE)
    return list(read_tracked_clips(write_synthetic_shards(folder, options)[0]))


def give_identity(clip: TrackedClip, identity: str) -> TrackedClip:
    """The clip as one of another person."""
    return replace(clip, info=clip.info | {"identity": identity})


@dataclass(frozen=True)
class MixingMaker:
    """Stands in for a coarse generator: the mean of source and driving frame, and random attributes.

    most: it breaks off after so many frames, as a process that is killed would.
    """

    name: str = "mixing"
    most: int = 1000
    log: Path | None = None
    layers: tuple[str, ...] = ()

    def __call__(self, source: Face, drivings: Sequence[Face], rng: np.random.Generator) -> Iterator[CoarsePair]:
        for driving in drivings:
            if self.log is not None:
                done = int(self.log.read_text() or 0) if self.log.exists() else 0
                if done == self.most:
                    raise InterruptedError
                self.log.write_text(str(done + 1))
            size = len(source.pixels)
            person = np.full((2, size, size), 100, np.uint8) if "person" in self.layers else None
            confidence = np.full((size, size), 200, np.uint8) if "confidence" in self.layers else None
            still = source.pixels if "still" in self.layers else None
            mixed = (source.pixels // 2 + driving.pixels // 2).astype(np.uint8)
            yield CoarsePair(mixed, rng.normal(size=(2, 56)).astype(np.float32), person, confidence, still)
