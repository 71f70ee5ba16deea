"""The frames of a driver, from whatever kind of file: a source that can be read several times."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from fadm.errors import OptionError
from fadm.media.audio import AudioTrack

# Its time in units of the source's time base and uint8 (H, W, 3) pixels, or None where they are not wanted;
# None for a damaged frame.
Decoded = tuple[int, np.ndarray | None] | None
Wanted = Callable[[int], bool]  # whether the pixels of a frame are wanted, by its number from 0


@dataclass(frozen=True)
class Frame:
    """One frame of a driver; the first frame of the kept part has time 0.

    Attributes:
        pixels: uint8 (H, W, 3) RGB.
        pts: Time in units of the source's time base.
        time: Time in seconds.
    """

    pixels: np.ndarray
    pts: int
    time: Fraction


def want_all(number: int) -> bool:
    """Want the pixels of every frame.

    Args:
        number: Number of the frame from 0.

    Returns:
        True.
    """
    return True


@dataclass(frozen=True)
class TimeRange:
    """The kept part of a driver.

    Attributes:
        start: Seconds from the driver's first frame.
        end: Seconds from the driver's first frame, exclusive; None for the driver's end.
    """

    start: Fraction
    end: Fraction | None

    def __contains__(self, time: Fraction) -> bool:
        return self.start <= time and (self.end is None or time < self.end)


def make_range(start: Fraction | float | None, end: Fraction | float | None) -> TimeRange:
    """Check the limits of a part of a driver.

    Args:
        start: Seconds from the first frame; None for the first frame.
        end: Seconds from the first frame, exclusive; None for the driver's end.

    Returns:
        The part. A float stands for the decimal number that it prints as.

    Raises:
        OptionError: A limit is not finite, the start is negative or the end is not after the start.
    """
    for name, seconds in (("start", start), ("end", end)):
        if seconds is not None and not math.isfinite(seconds):
            raise OptionError(f"the {name} is {seconds:g} s; give a number of seconds")
    first = _exact(start) if start is not None else Fraction(0)
    last = _exact(end) if end is not None else None
    if first < 0:
        raise OptionError(f"the start is {float(first):g} s; it must be 0 or later")
    if last is not None and last <= first:
        raise OptionError(f"the end ({float(last):g} s) must come after the start ({float(first):g} s)")
    return TimeRange(first, last)


def _exact(seconds: Fraction | float) -> Fraction:
    # A float such as 1.2 means the decimal number that was typed, not its nearest binary fraction.
    return Fraction(seconds).limit_denominator(1_000_000) if isinstance(seconds, float) else Fraction(seconds)


@dataclass
class FrameSource:
    """A driver's frames; each iteration reads the file from its start, one frame at a time.

    Attributes:
        path: The file or folder.
        width: Width in pixels as shown: upright, with square pixels.
        height: Height in pixels as shown.
        rate: Average frames per second.
        time_base: Unit of the frames' pts in seconds.
        num_frames: Estimated number of frames, None if unknown.
        audio: The sound of the part, None if there is none.
        decode: Decodes the frames; its argument chooses the frames whose pixels are wanted.
        num_damaged: Frames that the latest complete iteration left out because they could not be decoded.
        turns: Quarter turns counter-clockwise by which the frames are turned when they are read (see `turn`).
    """

    path: Path
    width: int
    height: int
    rate: Fraction
    time_base: Fraction
    num_frames: int | None
    audio: AudioTrack | None
    decode: Callable[[Wanted], Iterator[Decoded]]
    num_damaged: int = 0
    turns: int = 0

    def turn(self, turns: int) -> None:
        """Turn all frames that are read from now on, for a file whose tag does not say how it is to be shown.

        Args:
            turns: Quarter turns counter-clockwise, beside those before.
        """
        self.turns = (self.turns + turns) % 4
        if turns % 2:
            self.width, self.height = self.height, self.width

    def __iter__(self) -> Iterator[Frame]:
        return (frame for _, frame in self.select(want_all))

    def select(self, is_wanted: Wanted) -> Iterator[tuple[int, Frame]]:
        """Read some of the frames; the others are decoded, but not converted to pixels.

        Args:
            is_wanted: Which frames to read, by number from 0.

        Yields:
            The number of each wanted frame, and the frame.

        Raises:
            InputError: The file cannot be read.
        """
        origin, num_damaged, number = None, 0, -1
        for decoded in self.decode(is_wanted):
            if decoded is None:
                num_damaged += 1
                continue
            pts, pixels = decoded
            origin = pts if origin is None else origin
            number += 1
            if pixels is not None:
                pixels = np.ascontiguousarray(np.rot90(pixels, self.turns)) if self.turns else pixels
                yield number, Frame(pixels, pts - origin, (pts - origin) * self.time_base)
        self.num_damaged = num_damaged
