"""The one-euro filter: steady where the face rests, immediate where it moves.

Casiez, Roussel, Vogel, 1 Euro filter: a simple speed-based low-pass filter for noisy input, CHI 2012.
"""

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


class OneEuroFilter:
    """Filters landmarks, each by its own speed, in units of the face's size so that resolution does not matter.

    min_cutoff: Hz at rest; beta: Hz gained per face width and second; 0 Hz at rest switches the filter off.
    """

    def __init__(self, *, min_cutoff: float = 1.5, beta: float = 25.0, speed_cutoff: float = 6.0):
        self.min_cutoff, self.beta, self.speed_cutoff = min_cutoff, beta, speed_cutoff
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next landmarks are returned as they are."""
        self._value: FloatArray | None = None
        self._speed: FloatArray | None = None
        self._time = 0.0

    def __call__(self, landmarks: FloatArray, time: float) -> FloatArray:
        """Landmarks (N, 3) at a time in seconds -> filtered landmarks (N, 3)."""
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
    """Weight of the newest value in an exponential low-pass filter of that cutoff (eq. 2 of the paper)."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * step))
