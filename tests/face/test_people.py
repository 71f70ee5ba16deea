from dataclasses import replace

import numpy as np
import pytest

from fadm.face.appearance import Looks
from fadm.face.people import DOUBTS, People, Sighting
from fadm.face.tracker import FaceTracker, face_box
from tests.face.scenes import WIDTH, carphone, fading, passing

NOWHERE = np.zeros((478, 3), np.float32)


def look(seed: int, noise: float = 0.0) -> Looks:
    """Looks of the person of a seed."""
    rng = np.random.default_rng(seed)
    pattern = rng.standard_normal((400, 3)) + noise * np.random.default_rng(99).standard_normal((400, 3))
    places = np.random.default_rng(0).random((400, 2), np.float32)
    return Looks(pattern.astype(np.float32), np.zeros(3, np.float32), (0.0, 0.0), places)


def meet(people: People, *seeds: int) -> list[int]:
    """Show people for the first time; return their numbers."""
    numbers = people.tell_apart([Sighting(look(seed), None) for seed in seeds])
    for number, seed in zip(numbers, seeds, strict=True):
        people.remember(number, NOWHERE, 0, look(seed))
    return numbers


def test_people_are_recognised_in_any_order():
    people = People()
    assert meet(people, 1, 2) == [0, 1]
    assert people.tell_apart([Sighting(look(2, 0.2), None), Sighting(look(1, 0.2), None)]) == [1, 0]
    assert people.tell_apart([Sighting(look(3), None), Sighting(look(1), None)]) == [2, 0]


def test_who_is_seen_elsewhere_is_nobody_else():
    people = People()
    meet(people, 1)
    assert people.tell_apart([Sighting(look(1), None)], seen=[0]) == [1]


def test_followed_faces_that_swapped_are_swapped_back_after_a_few_looks():
    people = People()
    meet(people, 1, 2)
    swapped = [Sighting(look(2), 0), Sighting(look(1), 1)]
    for _ in range(DOUBTS - 1):
        assert people.tell_apart(swapped) == [0, 1]
        assert people.is_in_doubt(0) and people.is_mistaken(0)
    assert people.tell_apart(swapped) == [1, 0]
    assert not people.is_in_doubt(0) and not people.is_mistaken(0)


def test_another_person_at_the_same_place_gets_a_new_number_unless_covered():
    people = People()
    meet(people, 1)
    for _ in range(2 * DOUBTS):
        assert people.tell_apart([Sighting(look(2), 0, is_covered=True)]) == [0]
    assert [people.tell_apart([Sighting(look(2), 0)]) for _ in range(DOUBTS)][-1] == [1]
    assert people.tell_apart([Sighting(look(3), None, is_covered=True)]) == [None]


def test_a_hand_over_half_of_a_face_changes_nobody():
    people = People()
    meet(people, 1)
    own, hand = look(1), look(2)
    covered = np.where((own.places[:, 1] > 0.5)[:, None], hand.pattern, own.pattern)
    for _ in range(2 * DOUBTS):
        assert people.tell_apart([Sighting(replace(own, pattern=covered), 0)]) == [0]


def test_one_odd_look_changes_nothing():
    people = People()
    meet(people, 1)
    assert people.tell_apart([Sighting(look(2), 0)]) == [0]
    assert people.tell_apart([Sighting(look(1), 0)]) == [0] and not people.is_in_doubt(0)


def test_numbers_are_not_used_again():
    people = People()
    meet(people, 1)
    people.reset()
    assert meet(people, 1) == [1]


def track(frames) -> list[dict[int, float]]:
    """The column of each face by its number, in every frame."""
    with FaceTracker() as tracker:
        boxes = [{face.number: face_box(face.landmarks) for face in tracker.track(pixels)} for pixels in frames]
    return [{number: (box[0] + box[2]) / 2 for number, box in found.items()} for found in boxes]


def test_two_who_cross_keep_their_numbers():
    """The one behind is out of sight for a while, and found again when he can be seen."""
    found = track(passing(76, lambda number: 300 - 5 * number))
    assert set().union(*found) == {0, 1}
    assert 140 < found[0][0] < 170 and 110 < found[-1][0] < 160  # the driver stays where he is
    columns = [faces[1] for faces in found if 1 in faces]
    assert len(columns) > 30 and np.all(np.diff(columns) < 0)  # the other one passes from right to left
    hidden = [number for number, faces in enumerate(found) if 0 not in faces]
    assert 5 < len(hidden) < 60 and hidden == list(range(hidden[0], hidden[-1] + 1))


def test_the_first_face_may_enter_late():
    empty = np.full_like(carphone(1)[0], 110)
    found = track([empty] * 13 + carphone(12))
    assert all(not faces for faces in found[:13]) and all(list(faces) == [0] for faces in found[13:])


def test_a_second_face_may_enter_late():
    found = track(passing(45, lambda number: WIDTH if number < 10 else 210))
    assert all(list(faces) == [0] for faces in found[:10]) and all(faces.keys() == {0, 1} for faces in found[30:])
    assert all(faces[1] > faces[0] + 50 for faces in found[30:])


@pytest.mark.parametrize("during", [12, 25])
def test_a_person_who_fades_into_another_gets_another_number(during):
    found = track(fading(12, during, 12))
    assert all(list(faces) == [0] for faces in found[:12])
    assert found[-1].keys() != {0} and all(faces.keys() == found[-1].keys() for faces in found[-8:])


def test_one_person_has_one_number():
    assert all(list(faces) == [0] for faces in track(carphone(90)[::3]))
