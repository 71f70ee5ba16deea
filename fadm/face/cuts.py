"""Scene cuts, from small grey copies of the frames."""

import numpy as np
from numpy.typing import NDArray

THUMBNAIL = 32  # cells along each axis
LEAST_CHANGE = 0.1  # mean change of brightness (0..1) below which nothing is a cut
TIMES_USUAL = 6.0  # a cut changes this many times more than the frames before it did


class CutDetector:
    """Says of each frame in turn whether it begins a new shot."""

    def __init__(self) -> None:
        self._last: NDArray[np.float32] | None = None
        self._usual = 0.0

    def is_cut(self, pixels: NDArray[np.uint8]) -> bool:
        """Compare a frame (H, W, 3) with the one before; the first frame is no cut."""
        thumbnail = _thumbnail(pixels)
        last, self._last = self._last, thumbnail
        if last is None:
            return False
        change = float(np.abs(thumbnail - last).mean())
        is_cut = change > max(LEAST_CHANGE, TIMES_USUAL * self._usual)
        self._usual = 0.0 if is_cut else 0.8 * self._usual + 0.2 * change
        return is_cut


def _thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width = pixels.shape[:2]
    rows = np.linspace(0, height - 1, 4 * THUMBNAIL).astype(int)
    columns = np.linspace(0, width - 1, 4 * THUMBNAIL).astype(int)
    grey = pixels[rows[:, None], columns].mean(-1, dtype=np.float32) / 255
    return grey.reshape(THUMBNAIL, 4, THUMBNAIL, 4).mean((1, 3))
