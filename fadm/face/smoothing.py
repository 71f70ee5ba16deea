"""The one-euro filter against jitter: strong smoothing at rest, little delay in motion.

Casiez, Roussel, Vogel, "1 euro filter: a simple speed-based low-pass filter for noisy input", CHI 2012.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]


class OneEuroFilter:
    """Filters each landmark by its own speed, in units of the face's width, so that resolution does not matter.

    Args:
        min_cutoff: Cutoff frequency at rest in Hz; 0 switches the filter off.
        beta: Growth of the cutoff with speed, in Hz per face width and second.
        speed_cutoff: Cutoff frequency in Hz of the low-pass filter on the speed.
    """

    def __init__(self, *, min_cutoff: float = 1.5, beta: float = 25.0, speed_cutoff: float = 6.0):
        self.min_cutoff, self.beta, self.speed_cutoff = min_cutoff, beta, speed_cutoff
        self.reset()

    def reset(self) -> None:
        """Forget the past; the next landmarks are returned as they are."""
        self._value: FloatArray | None = None
        self._speed: FloatArray | None = None
        self._time = 0.0

    def __call__(self, landmarks: FloatArray, time: float) -> FloatArray:
        """Filter the landmarks of the next frame.

        Args:
            landmarks: Landmarks (N, 3) in pixels.
            time: Time of the frame in seconds; where it is not later than the previous one the filter starts again.

        Returns:
            Filtered landmarks (N, 3) in pixels.
        """
        if self.min_cutoff == 0:
            return landmarks
        if self._value is None or self._speed is None or time <= self._time:
            self._value, self._speed, self._time = landmarks, np.zeros((len(landmarks), 1), np.float32), time
            return landmarks
        step = time - self._time
        width = float(np.ptp(landmarks[:, 0])) or 1.0
        speed = np.linalg.norm(landmarks - self._value, axis=1, keepdims=True) / (width * step)
        self._speed = self._speed + _share(self.speed_cutoff, step) * (speed - self._speed)
        cutoff = self.min_cutoff + self.beta * self._speed
        self._value = self._value + _share(cutoff, step) * (landmarks - self._value)
        self._time = time
        return self._value


def _share(cutoff: FloatArray | float, step: float) -> FloatArray | float:
    """Compute the weight of the newest value in an exponential low-pass filter with this cutoff (paper, eq. 2)."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * step))
