"""What a face looks like, in a few hundred numbers: enough to tell the people of one video apart, not to know anyone.

The colours at the landmarks are the same place of every face, however it moves, and their pattern is free of
brightness and contrast. Nothing is learned.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fadm.face.landmarker import SIDE, LocatedFace
from fadm.face.topology import (
    CHIN,
    EAR_LEFT,
    EAR_RIGHT,
    EYES,
    FOREHEAD_TOP,
    INNER_LOWER_LIP,
    INNER_UPPER_LIP,
    NUM_SURFACE,
)

FloatArray = NDArray[np.float32]

# Lids and lips hide and show what lies behind them.
CHANGING = {*INNER_UPPER_LIP, *INNER_LOWER_LIP, *(i for upper, lower, _ in EYES for i in upper + lower)}
SKIN = np.array([i for i in range(NUM_SURFACE) if i not in CHANGING])
BLUR = np.arange(-6, 7, 4)  # offsets of the samples, averaged, in pixels of the network's window
DARK = 0.03  # added to brightness, so that noise in the dark is no tint
TINT_UNIT = 0.06  # difference of tints that counts as much as patterns without relation
TURN_UNIT = 0.44  # radians of turn between two views that double what the same face may differ by
SAME_HALF = 0.45  # halves of faces that differ less may be one person's (see `compare_halves`)
MAX_VIEWS = 8  # of one person
NEW_VIEW = 0.3  # a look that differs more from all views of its person is worth keeping
STEADY_LOOKS = 5  # looks in succession that must be alike before they make a view: not the middle of a fade


@dataclass(frozen=True, eq=False)
class Looks:
    """Look of a face at one moment.

    Attributes:
        pattern: Colours at the landmarks of the skin (N, 3), with mean 0 and deviation 1.
        tint: Logarithms of the mean skin's colours (3,), without their mean.
        turn: Turn of the head to the side and up or down, in radians.
        places: Where those landmarks are (N, 2), in shares of the network's window.
    """

    pattern: FloatArray
    tint: FloatArray
    turn: tuple[float, float]
    places: FloatArray


def describe_looks(face: LocatedFace) -> Looks:
    """Describe what a face looks like.

    Args:
        face: The face as the landmark network saw it.

    Returns:
        Its looks.
    """
    at = np.rint(face.points[SKIN, :2] * SIDE - 0.5).astype(np.int64)
    rows, columns = (np.clip(at[:, axis, None] + BLUR, 0, SIDE - 1) for axis in (1, 0))
    colours = face.window[rows[:, :, None], columns[:, None]].mean((1, 2))
    mean = colours.mean(0)
    tint = np.log(mean + DARK)
    pattern = _normalise(colours)
    across, down = (face.points[a] - face.points[b] for a, b in ((EAR_LEFT, EAR_RIGHT), (CHIN, FOREHEAD_TOP)))
    turn = (math.atan2(float(across[2]), float(across[0])), math.atan2(float(down[2]), float(down[1])))
    return Looks(pattern, tint - tint.mean(), turn, face.points[SKIN, :2])


def compare_looks(a: Looks, b: Looks) -> float:
    """Measure how different two faces look.

    Args:
        a: One look.
        b: Another.

    Returns:
        The difference: below 0.6 for nearly all pairs of looks of one person in a video, above it for nearly all pairs
        of two people; views from different sides are less certain and differ less.
    """
    pattern = math.sqrt(float(((a.pattern - b.pattern) ** 2).mean()))
    tint = math.sqrt(float(((a.tint - b.tint) ** 2).mean()))
    turn = math.dist(a.turn, b.turn)
    return math.hypot(pattern, tint / TINT_UNIT) / (1 + turn / TURN_UNIT)


def compare_halves(a: Looks, b: Looks) -> float:
    """Measure how different the most similar halves of two faces look, whatever their tint.

    Args:
        a: One look.
        b: Another.

    Returns:
        The difference: below 0.45 for nearly all pairs of one person, a half of whose face may be covered, and above
        it for four fifths of the pairs of two people.
    """
    least = math.inf
    is_low = a.places > np.median(a.places, 0)
    for half in (*is_low.T, *~is_low.T):
        first, second = (_normalise(look.pattern[half]) for look in (a, b))
        least = min(least, math.sqrt(float(((first - second) ** 2).mean())))
    return least / (1 + math.dist(a.turn, b.turn) / TURN_UNIT)


def _normalise(colours: FloatArray) -> FloatArray:
    pattern = colours - colours.mean(0)
    return pattern / (np.sqrt((pattern**2).mean()) + np.float32(1e-3))


@dataclass(eq=False)
class Person:
    """What is known of one of a video's people.

    Attributes:
        number: Tells this person from the others.
        landmarks: Landmarks (478, 3) in pixels where the face was last seen.
        frame: Number of that frame.
        views: Looks of this person from different sides.
    """

    number: int
    landmarks: FloatArray
    frame: int
    views: list[Looks] = field(default_factory=list)
    _steady: list[Looks] = field(default_factory=list)

    def differs(self, looks: Looks) -> float:
        """Measure how far a face is from all that this person has looked like.

        Args:
            looks: Looks of the face.

        Returns:
            The difference from the nearest view, as in `compare_looks`.
        """
        return min((compare_looks(view, looks) for view in self.views), default=0.0)

    def is_covered(self, looks: Looks) -> bool:
        """Say whether a face that differs may be this person's, half of it behind a hand.

        Args:
            looks: Looks of the face.

        Returns:
            Whether a half of it looks like this person.
        """
        return any(compare_halves(view, looks) < SAME_HALF for view in self.views)

    def learn(self, looks: Looks) -> None:
        """Keep a look as a view if it is new and lasts.

        Args:
            looks: Looks of this person's face in a later frame.
        """
        if self.views and (len(self.views) == MAX_VIEWS or self.differs(looks) < NEW_VIEW):
            self._steady.clear()
            return
        if self._steady and compare_looks(self._steady[0], looks) > NEW_VIEW:
            self._steady.clear()
        self._steady.append(looks)
        if not self.views or len(self._steady) == STEADY_LOOKS:
            self.views.append(looks)
            self._steady.clear()
