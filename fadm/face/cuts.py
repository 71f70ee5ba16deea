"""Where a video's picture changes at once: cuts between shots, and flashes, after which the old picture returns.

The change is measured between small grey copies of the frames; two frames are looked at ahead of each.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Thumbnail = NDArray[np.float32]
T = TypeVar("T")

THUMBNAIL = 32  # cells along each axis
MIN_CHANGE = 0.1  # mean change of brightness (0..1) at a cut, at least
CHANGE_RATIO = 6.0  # change at a cut, at least, in units of the average change before it
LONGEST_FLASH = 2  # frames; what lasts longer is another shot
CELL_CHANGE = 0.06  # change of brightness of a cell that shows something else


class Change(Enum):
    """What a frame is, compared with the one before."""

    NONE = "of the same shot"
    CUT = "the first frame of another shot"
    FLASH = "a flash, or another picture for a moment"


def mark_changes(frames: Iterable[T], see: Callable[[T], Pixels]) -> Iterator[tuple[T, Change, Thumbnail]]:
    """Find the cuts and the flashes of a video.

    Args:
        frames: The frames; two are kept at a time beside the one that is yielded.
        see: Gives a frame's pixels, uint8 (H, W, 3).

    Yields:
        Each frame with its change and its thumbnail (32, 32); the first frame is no cut.
    """
    rest = iter(frames)
    ahead: deque[tuple[T, Thumbnail]] = deque()
    last: Thumbnail | None = None  # of the last frame that is no flash
    average = 0.0  # change from frame to frame
    num_flashes = 0  # left of a flash that has begun
    while True:
        ahead.extend((frame, make_thumbnail(see(frame))) for frame in islice(rest, 1 + LONGEST_FLASH - len(ahead)))
        if not ahead:
            return
        frame, thumbnail = ahead.popleft()
        difference = 0.0 if last is None else measure_change(last, thumbnail)
        limit = max(MIN_CHANGE, CHANGE_RATIO * average)
        change = Change.NONE
        if last is not None and difference > limit and not num_flashes:
            returns = [measure_change(last, later) <= limit for _, later in ahead]
            num_flashes = 1 + returns.index(True) if True in returns else 0
            change = Change.CUT
        if num_flashes:
            num_flashes -= 1
            change = Change.FLASH
        else:
            average = 0.0 if change is Change.CUT else 0.8 * average + 0.2 * difference
            last = thumbnail
        yield frame, change, thumbnail


def make_thumbnail(pixels: Pixels) -> Thumbnail:
    """Make the small grey copy of a picture.

    Args:
        pixels: uint8 (H, W, 3).

    Returns:
        Brightness (32, 32) in [0, 1].
    """
    height, width = pixels.shape[:2]
    rows, columns = (np.linspace(0, side - 1, 4 * THUMBNAIL).astype(int) for side in (height, width))
    sums = pixels.take(rows, 0).take(columns, 1).reshape(THUMBNAIL, 4, -1).sum(1, dtype=np.uint16)
    return sums.reshape(THUMBNAIL, THUMBNAIL, 12).sum(2, dtype=np.uint16) / np.float32(4 * 12 * 255)


def measure_change(first: Thumbnail, second: Thumbnail) -> float:
    """Measure the mean change of brightness between two thumbnails, in [0, 1]."""
    return float(np.abs(first - second).mean())


def changed_share(first: Thumbnail, second: Thumbnail) -> float:
    """Measure which share of two thumbnails' cells shows something else."""
    return float((np.abs(first - second) > CELL_CHANGE).mean())
