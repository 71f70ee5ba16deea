"""An animated GIF, WebP, PNG or AVIF, read by Pillow as RGB frames with their own durations."""

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

from PIL import Image

from fadm.errors import InputError
from fadm.media.frames import Decoded, FrameSource, TimeRange, Wanted, want_all
from fadm.media.image import flatten_picture, open_picture

_MILLISECOND = Fraction(1, 1000)
_SHORTEST = 10  # browsers show a frame of up to this many milliseconds ...
_DEFAULT = 100  # ... for so long


def open_animation(path: Path, kept: TimeRange) -> FrameSource:
    """Open an animated picture; every frame is visited once to find the durations.

    Args:
        path: The file.
        kept: The part to read.

    Returns:
        The frames of that part.

    Raises:
        InputError: The file is damaged, or the part contains no frame.
    """
    times = []
    with open_picture(path) as picture:
        width, height = picture.size
        for pts, duration in _visit_frames(picture):
            if pts * _MILLISECOND in kept:
                times.append((pts, duration))
    if not times:
        raise InputError(f"'{path}' has no frame from {float(kept.start):g} s on; choose a range within it")
    total = sum(duration for _, duration in times)
    return FrameSource(
        path=path,
        width=width,
        height=height,
        rate=len(times) / (total * _MILLISECOND),
        time_base=_MILLISECOND,
        num_frames=len(times),
        audio=None,
        decode=partial(decode_animation, path, kept),
    )


def decode_animation(path: Path, kept: TimeRange, is_wanted: Wanted = want_all) -> Iterator[Decoded]:
    """Decode a part of an animated picture.

    Args:
        path: The file.
        kept: The part to read.
        is_wanted: Which of the part's frames to turn into pixels, by number from 0.

    Yields:
        The time in milliseconds and uint8 (H, W, 3), None in place of unwanted pixels.

    Raises:
        InputError: The file is damaged.
    """
    number = -1
    with open_picture(path) as picture:
        for pts, _ in _visit_frames(picture):
            time = pts * _MILLISECOND
            if kept.end is not None and time >= kept.end:
                return
            if time in kept:
                number += 1
                yield pts, flatten_picture(picture) if is_wanted(number) else None


def _visit_frames(picture: Image.Image) -> Iterator[tuple[int, int]]:
    """Seek to each frame in turn; yield its time and duration in milliseconds."""
    pts = Fraction(0)
    for index in range(getattr(picture, "n_frames", 1)):
        picture.seek(index)
        picture.load()
        duration = Fraction(picture.info.get("duration", 0)).limit_denominator(1000)
        if duration <= _SHORTEST:
            duration = Fraction(_DEFAULT)
        start, pts = round(pts), pts + duration
        yield start, round(pts) - start
