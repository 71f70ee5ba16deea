"""Timecodes of face-capture takes, HH:MM:SS:FF.mmm: which frame, of how many in a second (SMPTE ST 12-1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from statistics import median

PATTERN = re.compile(r"(\d{1,2}):([0-5]?\d):([0-5]?\d)([:;])(\d{1,3})(?:\.(\d{1,9}))?")
RATES = (24, 25, 30, 48, 50, 60, 100, 120, 240)  # frames that a second can have
DROPPING_RATES = (30, 60, 120)  # 30000/1001 frames per second and its multiples
USUAL_RATE = 60  # of Live Link Face, and of the timecodes that we write
DAY = 24 * 60 * 60
PARTS = 1000  # of a frame, after the point


@dataclass(frozen=True)
class Timecode:
    """A label of a frame.

    Attributes:
        second: Whole seconds.
        frame: Frame within the second, in thousandths of a frame.
        is_dropping: The labels leave out two frames of 30 at each minute but every tenth (written with a semicolon).
    """

    second: int
    frame: int
    is_dropping: bool = False


def parse_timecode(text: str) -> Timecode:
    """Read a timecode.

    Args:
        text: Such as 14:03:52:28.207.

    Returns:
        The timecode.

    Raises:
        ValueError: It is none.
    """
    found = PATTERN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no timecode such as 14:03:52:28.207")
    hours, minutes, seconds, separator, frame, part = found.groups()
    thousandths = round(Fraction(int(part or 0), 10 ** len(part or "")) * PARTS)
    whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return Timecode(whole, int(frame) * PARTS + thousandths, separator == ";")


def format_timecode(time: Fraction) -> str:
    """Write a time as a timecode of 60 frames a second.

    Args:
        time: Seconds, 0 or more.

    Returns:
        The timecode, exact to a thousandth of a frame.
    """
    frames, part = divmod(round(time * USUAL_RATE * PARTS), PARTS)
    seconds, frame = divmod(frames, USUAL_RATE)
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}:{frame:02d}.{part:03d}"


def count_frames(timecodes: Sequence[Timecode]) -> tuple[list[int], Fraction]:
    """Number the frames of a take.

    How many frames a second has is not in the file: it is seen where the seconds change. A take within a second has
    60, as the app has unless it is told otherwise.

    Args:
        timecodes: The timecodes of the take, one or more.

    Returns:
        The frame of each timecode since the first, in thousandths of a frame, and the frames per second.

    Raises:
        ValueError: The frames are more than a second can have.
    """
    is_dropping = any(timecode.is_dropping for timecode in timecodes)
    nominal = _find_rate(timecodes, DROPPING_RATES if is_dropping else RATES)
    days, numbers = 0, []
    for number, timecode in enumerate(timecodes):
        if number and timecode.second < timecodes[number - 1].second - DAY // 2:
            days += 1  # past midnight
        second = timecode.second + days * DAY
        minutes = second // 60
        dropped = nominal // 15 * (minutes - minutes // 10) if is_dropping else 0
        numbers.append((second * nominal - dropped) * PARTS + timecode.frame)
    rate = Fraction(nominal * 1000, 1001) if is_dropping else Fraction(nominal)
    return [number - numbers[0] for number in numbers], rate


def _find_rate(timecodes: Sequence[Timecode], rates: Sequence[int]) -> int:
    """Find how many frames a second has: the usual step leads from the last frame of a second to the next one."""
    largest = max(timecode.frame for timecode in timecodes) // PARTS
    possible = [rate for rate in rates if rate > largest]
    if not possible:
        raise ValueError(f"frame {largest} of a second: a second has at most {rates[-1]} frames")
    pairs = list(pairwise(timecodes))
    steps = [b.frame - a.frame for a, b in pairs if a.second == b.second]
    jumps = [a.frame - b.frame for a, b in pairs if b.second == a.second + 1]
    if not steps or not jumps:
        return USUAL_RATE if USUAL_RATE in possible else possible[0]
    seen = (median(steps) + median(jumps)) / PARTS
    return min(possible, key=lambda rate: abs(rate - seen))
