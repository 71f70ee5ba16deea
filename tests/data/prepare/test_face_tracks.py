from fractions import Fraction

import numpy as np

from fadm.data.prepare.face_tracks import FaceTrack, FaceTrackCollector
from fadm.face.tracker import TrackedFace
from fadm.media.frames import Frame

DARK, LIGHT = np.zeros((48, 64, 3), np.uint8), np.full((48, 64, 3), 200, np.uint8)


class ScriptedTracker:
    """Faces as scripted, one list of x positions a frame, each 100 pixels a person; `boom` raises."""

    def __init__(self, *script: list[float] | str):
        self.script, self.resets = list(script), 0

    def track(self, pixels):
        faces = self.script.pop(0)
        if faces == "boom":
            raise RuntimeError("the graph failed")
        corners = np.array([[0, 0, 0], [40, 40, 0]], np.float32)
        face = np.resize(corners, (478, 3))
        return [TrackedFace(face + np.array([x, 0, 0], np.float32), number=round(x / 100)) for x in faces]

    def reset(self):
        self.resets += 1

    def close(self):
        pass


def collect(script: list[list[float] | str], pictures=None, **options) -> tuple[list[FaceTrack], ScriptedTracker]:
    tracker = ScriptedTracker(*script)
    length = len(script) * options.get("stride", 1)
    frames = [Frame((pictures or [DARK] * length)[i], i, Fraction(i, 25)) for i in range(length)]
    options = {"stride": 1, "longest": 100.0} | options
    return list(FaceTrackCollector(tracker, **options).collect(frames)), tracker


def test_two_people_are_kept_apart_whatever_their_order():
    tracks, _ = collect([[0, 300], [305, 5], [10, 310]])
    assert [track.numbers for track in tracks] == [[0, 1, 2]] * 2
    assert [track.landmarks[-1][0, 0] for track in tracks] == [10, 310]
    assert [(track.shot, track.person, track.num_sampled) for track in tracks] == [(0, 0, 3), (0, 1, 3)]


def test_a_cut_ends_all_tracks_and_resets_the_tracker():
    tracks, tracker = collect([[0], [0], [0], [0]], [DARK, DARK, LIGHT, LIGHT])
    assert [(t.shot, t.person, t.numbers) for t in tracks] == [(0, 0, [0, 1]), (1, 0, [2, 3])]
    assert (tracks[1].began, tracks[1].ended) == (2 / 25, 3 / 25) and tracker.resets == 2


def test_a_long_shot_is_continued_as_another_track_of_the_same_person():
    tracks, _ = collect([[0]] * 10, longest=4 / 25)
    assert [t.numbers for t in tracks] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert {t.person for t in tracks} == {0}
    tracks, _ = collect([[0]] * 5, most_frames=2)
    assert [t.numbers for t in tracks] == [[0, 1], [2, 3], [4]]


def test_every_third_frame_is_sampled():
    (track,), tracker = collect([[0]] * 4, stride=3)
    assert track.numbers == [0, 3, 6, 9] and track.num_sampled == 4 and tracker.script == []


def test_frames_without_the_face_count_but_not_those_after_it():
    (track,), _ = collect([[0], [], "boom", [0], [], []])
    assert track.numbers == [0, 3] and track.num_sampled == 4


def test_a_face_that_comes_back_is_the_same_person():
    """Frames without it count as sampled."""
    (track,), _ = collect([[0], [0], *[[]] * 40, [0]])
    assert track.numbers == [0, 1, 42] and (track.person, track.num_sampled) == (0, 43)
