"""Who is who among the faces of a video: numbers that stay with people while they cross, hide and come back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fadm.face.appearance import Looks, Person

FloatArray = NDArray[np.float32]

SAME_PERSON = 0.65  # a face that differs less from a person's views may be that person (see `compare_looks`)
OTHER_PERSON = 0.75  # a followed face that differs more from its person's views is another one, if that lasts
LOYALTY = 0.15  # by which a followed face may differ more from its own person than from another
DOUBTS = 4  # looks in succession that must speak for another person


@dataclass(frozen=True, eq=False)
class Sighting:
    """A face in a frame, not yet told apart.

    Attributes:
        looks: What it looks like.
        number: Person that was followed to it; None for a face that a search found.
        is_covered: Another face is so near that this one may be partly hidden, and look like nobody.
    """

    looks: Looks
    number: int | None
    is_covered: bool = False


class People:
    """The people of one shot, remembered as long as it lasts."""

    def __init__(self) -> None:
        self.known: dict[int, Person] = {}
        self._next_number = 0
        self._doubts: dict[int, int] = {}  # by number: successive looks that spoke against it
        self._mistaken: set[int] = set()  # numbers whose last look spoke for another known person

    def reset(self) -> None:
        """Forget everybody; numbers are not used again."""
        self.known.clear()
        self._doubts.clear()
        self._mistaken.clear()

    def is_in_doubt(self, number: int) -> bool:
        """Say whether the last look spoke for another person.

        Args:
            number: The person that a face was followed as.

        Returns:
            Whether more looks are needed.
        """
        return self._doubts.get(number, 0) > 0

    def is_mistaken(self, number: int) -> bool:
        """Say whether a face may be somebody else whom the video has shown before.

        Args:
            number: The person that the face is followed as.

        Returns:
            Whether its last look spoke for another known person.
        """
        return number in self._mistaken

    def tell_apart(self, sightings: Sequence[Sighting], seen: Sequence[int] = ()) -> list[int | None]:
        """Give each face the number of its person.

        Args:
            sightings: Faces of one frame.
            seen: Numbers of people who are seen elsewhere in the frame.

        Returns:
            The number of each; None for a covered face that looks like nobody.
        """
        wanted = self._match(sightings, set(seen))
        numbers = [s.number if self._is_kept(s, want) else want for s, want in zip(sightings, wanted, strict=True)]
        followed = {n for n, s in zip(numbers, sightings, strict=True) if s.number is not None}
        for i, sighting in enumerate(sightings):
            if sighting.number is None and numbers[i] in followed:
                numbers[i] = None
            if numbers[i] is None and not sighting.is_covered:
                numbers[i] = self._next_number
                self._next_number += 1
        return numbers

    def _is_kept(self, sighting: Sighting, wanted: int | None) -> bool:
        """Say whether a face keeps its number although another is wanted: looks must speak against it for a while."""
        if sighting.number is None:
            return False
        self._mistaken.discard(sighting.number)
        if wanted == sighting.number or (wanted is None and self._is_covered(sighting)):
            self._doubts.pop(sighting.number, None)
            return True
        if wanted is not None:
            self._mistaken.add(sighting.number)
        doubts = self._doubts.get(sighting.number, 0) + 1
        self._doubts[sighting.number] = doubts % DOUBTS
        if doubts == DOUBTS:
            self._mistaken.discard(sighting.number)
        return doubts < DOUBTS

    def _is_covered(self, sighting: Sighting) -> bool:
        own = self.known.get(-1 if sighting.number is None else sighting.number)
        return sighting.is_covered or (own is not None and own.is_covered(sighting.looks))

    def remember(self, number: int, landmarks: FloatArray, frame: int, looks: Looks | None) -> None:
        """Remember where a person was seen, and what they look like.

        Args:
            number: The person.
            landmarks: Landmarks of the face (478, 3) in pixels.
            frame: Number of the frame.
            looks: Looks of the face, where they were described.
        """
        person = self.known.setdefault(number, Person(number, landmarks, frame))
        person.landmarks, person.frame = landmarks, frame
        if looks is not None and not self.is_in_doubt(number):
            person.learn(looks)

    def _match(self, sightings: Sequence[Sighting], seen: set[int]) -> list[int | None]:
        """Find the person of each face whom it differs from least, all in all; None for a new one."""
        costs = []
        for i, sighting in enumerate(sightings):
            for person in self.known.values():
                is_own = person.number == sighting.number
                limit = OTHER_PERSON if is_own else SAME_PERSON
                difference = person.differs(sighting.looks)
                if difference < limit and person.number not in seen:
                    costs.append((difference - LOYALTY * is_own, i, person.number))
        found: dict[int, int] = {}
        for _, i, number in sorted(costs):
            if i not in found and number not in found.values():
                found[i] = number
        return [found.get(i) for i in range(len(sightings))]
