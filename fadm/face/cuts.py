"""Detection of scene cuts by the change of brightness between small grey copies of the frames."""

import numpy as np
from numpy.typing import NDArray

THUMBNAIL = 32  # cells along each axis
MIN_CHANGE = 0.1  # mean change of brightness (0..1) at a cut, at least
CHANGE_RATIO = 6.0  # change at a cut, at least, in units of the average change before it


class CutDetector:
    """Decides for each frame in turn whether it begins a new shot."""

    def __init__(self) -> None:
        self._last: NDArray[np.float32] | None = None
        self._average_change = 0.0

    def is_cut(self, pixels: NDArray[np.uint8]) -> bool:
        """Compare a frame with the previous one.

        Args:
            pixels: The next frame, uint8 (H, W, 3).

        Returns:
            Whether a new shot begins; False for the first frame.
        """
        thumbnail = _thumbnail(pixels)
        last, self._last = self._last, thumbnail
        if last is None:
            return False
        change = float(np.abs(thumbnail - last).mean())
        is_cut = change > max(MIN_CHANGE, CHANGE_RATIO * self._average_change)
        self._average_change = 0.0 if is_cut else 0.8 * self._average_change + 0.2 * change
        return is_cut


def _thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width = pixels.shape[:2]
    rows = np.linspace(0, height - 1, 4 * THUMBNAIL).astype(int)
    columns = np.linspace(0, width - 1, 4 * THUMBNAIL).astype(int)
    grey = pixels[rows[:, None], columns].mean(-1, dtype=np.float32) / 255
    return grey.reshape(THUMBNAIL, 4, THUMBNAIL, 4).mean((1, 3))
