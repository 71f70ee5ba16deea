from fractions import Fraction

import numpy as np

from fadm.data.prepare.face_tracks import FaceTrack, PieceCollector
from fadm.face.selection import MEMORY
from fadm.media.frames import Frame

DARK, LIGHT = np.zeros((48, 64, 3), np.uint8), np.full((48, 64, 3), 200, np.uint8)


class ScriptedTracker:
    """Faces as told, one list of x positions a frame; `boom` raises."""

    def __init__(self, *script: list[float] | str):
        self.script, self.resets = list(script), 0

    def track(self, pixels):
        told = self.script.pop(0)
        if told == "boom":
            raise RuntimeError("the graph failed")
        corners = np.array([[0, 0, 0], [40, 40, 0]], np.float32)
        return [np.resize(corners, (478, 3)) + np.array([x, 0, 0], np.float32) for x in told]

    def reset(self):
        self.resets += 1

    def close(self):
        pass


def collect(script: list[list[float] | str], pictures=None, **options) -> tuple[list[FaceTrack], ScriptedTracker]:
    tracker = ScriptedTracker(*script)
    length = len(script) * options.get("stride", 1)
    frames = [Frame((pictures or [DARK] * length)[i], i, Fraction(i, 25)) for i in range(length)]
    options = {"stride": 1, "longest": 100.0} | options
    return list(PieceCollector(tracker, **options).collect(frames)), tracker


def test_two_people_are_kept_apart_whatever_their_order():
    pieces, _ = collect([[0, 300], [305, 5], [10, 310]])
    assert [piece.numbers for piece in pieces] == [[0, 1, 2]] * 2
    assert [piece.landmarks[-1][0, 0] for piece in pieces] == [10, 310]
    assert [(piece.shot, piece.person, piece.looks) for piece in pieces] == [(0, 0, 3), (0, 1, 3)]


def test_a_cut_ends_all_pieces_and_resets_the_tracker():
    pieces, tracker = collect([[0], [0], [0], [0]], [DARK, DARK, LIGHT, LIGHT])
    assert [(p.shot, p.person, p.numbers) for p in pieces] == [(0, 0, [0, 1]), (1, 0, [2, 3])]
    assert (pieces[1].began, pieces[1].ended) == (2 / 25, 3 / 25) and tracker.resets == 2


def test_a_long_shot_goes_on_as_another_piece_of_the_same_person():
    pieces, _ = collect([[0]] * 10, longest=4 / 25)
    assert [p.numbers for p in pieces] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert {p.person for p in pieces} == {0}
    pieces, _ = collect([[0]] * 5, most_frames=2)
    assert [p.numbers for p in pieces] == [[0, 1], [2, 3], [4]]


def test_every_third_frame_is_looked_at():
    (piece,), tracker = collect([[0]] * 4, stride=3)
    assert piece.numbers == [0, 3, 6, 9] and piece.looks == 4 and tracker.script == []


def test_frames_without_the_face_count_but_not_those_after_it():
    (piece,), _ = collect([[0], [], "boom", [0], [], []])
    assert piece.numbers == [0, 3] and piece.looks == 4


def test_a_face_that_comes_back_late_is_another_piece():
    pieces, _ = collect([[0], [0], *[[]] * (MEMORY + 1), [0]])
    assert [p.numbers for p in pieces] == [[0, 1], [MEMORY + 3]]
    assert [p.person for p in pieces] == [0, 1]
