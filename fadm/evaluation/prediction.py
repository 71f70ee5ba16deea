"""The result of a method for a case, and the protocol of all methods."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fadm.evaluation.clip_frames import ClipFrames
from fadm.evaluation.pairs import Case

Pixels = NDArray[np.uint8]


@dataclass
class Prediction:
    """The result of a method for one case.

    Attributes:
        pictures: Frames (S, S, 3) uint8 by stage.
        notes: A kind and a sentence on what was not as expected.
    """

    pictures: dict[str, list[Pixels]]
    notes: list[tuple[str, str]] = field(default_factory=list)


class Method(Protocol):
    """Makes the results of cases.

    Attributes:
        stages: Names of the stages of each result, in order.
        description: What distinguishes the method's runs from others, as values that JSON can hold.
    """

    stages: tuple[str, ...]
    description: dict[str, Any]

    def predict(self, case: Case, frames: ClipFrames) -> Prediction:
        """Make the result of a case.

        Args:
            case: The case.
            frames: Reads the clips' frames.

        Returns:
            The frames by stage.
        """

    def find_notes(self, cases: Sequence[Case]) -> list[tuple[str, str]]:
        """Describe what is not as expected of the results as a whole, before any is made.

        Args:
            cases: All cases.

        Returns:
            A kind and a sentence each.
        """
