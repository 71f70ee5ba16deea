from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from fadm.attributes.extraction import PATIENCE, STEADY_FRAMES, FaceFollower, extract_motion
from fadm.attributes.landmark_model import load_landmark_model
from fadm.errors import FaceError
from fadm.face.coefficients import estimate_blendshapes
from fadm.face.smoothing import OneEuroFilter
from fadm.face.tracker import FaceTracker, TrackedFace
from fadm.media.frames import Frame, FrameSource
from tests.attributes.made_up import make_attributes, make_identity, make_landmarks
from tests.face.scenes import fading, passing

MODEL = load_landmark_model()
OWN, OTHER = make_identity(MODEL), make_identity(MODEL, seed=1)
FACE = make_landmarks(MODEL, make_attributes(1), OWN)[0].numpy()
SMALLER_RIGHT = 0.8 * make_landmarks(MODEL, make_attributes(1, seed=1), OTHER)[0].numpy() + np.float32([300, 0, 0])
LARGER_LEFT = 1.2 * make_landmarks(MODEL, make_attributes(1, seed=2), OTHER)[0].numpy() - np.float32([300, 0, 0])


class ScriptedTracker:
    """Finds in each frame what its script says: faces, or an error to raise."""

    def __init__(self, script: list[list[np.ndarray] | Exception]):
        self.script = iter(script)
        self.num_resets = 0

    def track(self, pixels: np.ndarray) -> list[TrackedFace]:
        found = next(self.script)
        if isinstance(found, Exception):
            raise found
        return [face if isinstance(face, TrackedFace) else TrackedFace(face, number=_nearest(face)) for face in found]

    def reset(self) -> None:
        self.num_resets += 1

    def close(self) -> None: ...


def _nearest(face: np.ndarray) -> int:
    """Which of the people a face is, by its place."""
    places = np.array([person[:, :2].mean(0) for person in (FACE, SMALLER_RIGHT, LARGER_LEFT)])
    return int(np.nanargmin(np.linalg.norm(places - np.nanmean(face[:, :2], 0), axis=1)))


def make_source(brightness: list[int]) -> FrameSource:
    """Frames of one grey each, 512 time units apart."""

    def decode(is_wanted):
        for number, grey in enumerate(brightness):
            yield number * 512, np.full((48, 64, 3), grey, np.uint8)

    rate, time_base = Fraction(25), Fraction(1, 12800)
    return FrameSource(Path("made-up.mp4"), 64, 48, rate, time_base, len(brightness), None, decode)


def make_follower(script: list, choice: str = "largest") -> FaceFollower:
    return FaceFollower(ScriptedTracker(script), choice, OneEuroFilter(min_cutoff=0), "driver 'made-up.mp4'")


def follow_all(follower: FaceFollower, brightness: list[int]) -> list[np.ndarray | None]:
    return [landmarks for _, landmarks, _ in follower.follow(make_source(brightness))]


def test_frames_become_a_motion_in_time():
    made = make_attributes(40)
    faces = make_landmarks(MODEL, made, OWN).numpy()
    seen = []
    source = make_source([90] * 40)
    motion = extract_motion(source, make_follower([[face] for face in faces]), MODEL, lambda: seen.append(1))
    assert len(motion) == len(seen) == 40
    assert motion.is_tracked.all() and motion.shot.tolist() == [0] * 40
    assert motion.identity.shape == (1, 40)
    assert motion.pts.tolist() == [512 * number for number in range(40)]
    assert (motion.time_base, motion.rate) == (Fraction(1, 12800), Fraction(25))
    chunk, identity = MODEL.fit(torch.from_numpy(faces[:32]))
    torch.testing.assert_close(motion.attributes[:32].vector, chunk.vector)
    torch.testing.assert_close(motion.identity, identity)  # the first chunk says who it is
    later, _ = MODEL.fit(torch.from_numpy(faces[32:]), identity)
    torch.testing.assert_close(motion.attributes[32:].vector, later.vector)


@pytest.mark.parametrize("error", [RuntimeError("graph failed"), ValueError("bad packet")])
def test_a_crash_on_one_frame_is_a_gap_and_counted(error):
    follower = make_follower([[FACE], error, [FACE]])
    motion = extract_motion(make_source([90] * 3), follower, MODEL)
    assert motion.is_tracked.tolist() == [True, False, True]
    assert follower.num_crashes == 1
    assert follower.num_shots == 1


def test_landmarks_that_are_not_finite_are_a_gap():
    broken = FACE.copy()
    broken[7, 1] = np.nan
    motion = extract_motion(make_source([90] * 3), make_follower([[FACE], [broken], [FACE]]), MODEL)
    assert motion.is_tracked.tolist() == [True, False, True]
    assert motion.attributes.vector.isfinite().all()


def test_the_chosen_face_is_followed_whatever_its_place_in_the_list():
    script = [[FACE, SMALLER_RIGHT], [SMALLER_RIGHT, FACE], [SMALLER_RIGHT + 3, FACE + 3]]
    for choice, expected in (("left", FACE), ("2", SMALLER_RIGHT)):
        followed = follow_all(make_follower(script, choice), [90] * 3)
        for face, offset in zip(followed, (0, 0, 3), strict=True):
            np.testing.assert_array_equal(face, expected + offset)


def test_a_larger_face_that_enters_is_not_followed():
    followed = follow_all(make_follower([[FACE], [LARGER_LEFT, FACE]]), [90] * 2)
    np.testing.assert_array_equal(followed[1], FACE)


def test_a_newcomer_is_followed_only_after_some_patience_as_another_shot():
    script = [[FACE], *[[LARGER_LEFT]] * (PATIENCE + 2)]
    follower = make_follower(script)
    followed = follow_all(follower, [90] * len(script))
    assert all(face is None for face in followed[1 : PATIENCE + 1])
    np.testing.assert_array_equal(followed[PATIENCE + 1], LARGER_LEFT)
    assert follower.num_shots == 2


def test_a_bystander_who_was_there_before_is_never_followed():
    script = [[FACE, LARGER_LEFT], *[[LARGER_LEFT]] * (2 * PATIENCE), [FACE, LARGER_LEFT]]
    follower = make_follower(script, "2")
    followed = follow_all(follower, [90] * len(script))
    assert [face is not None for face in followed] == [True, *[False] * (2 * PATIENCE), True]
    assert follower.num_shots == 1


def test_a_person_who_takes_over_in_another_scene_is_followed_at_once():
    script = [[FACE]] * 4 + [[LARGER_LEFT]] * 10
    follower = make_follower(script)
    followed = follow_all(follower, [90, 90, 90, 90, 100, 110, 120, 130, 140, 150, 150, 150, 150, 150])
    first = [face is not None and np.array_equal(face, LARGER_LEFT) for face in followed].index(True)
    assert first == 4 + STEADY_FRAMES - 1 and follower.num_shots == 2


def test_the_last_faces_before_another_person_takes_over_are_gaps():
    script = [[FACE]] * 9 + [[LARGER_LEFT]] * 10
    fading = [90] * 9 + [*range(100, 160, 10), 150, 150, 150, 150]
    motion = extract_motion(make_source(fading), make_follower(script), MODEL)
    assert motion.shot.tolist() == [0] * 13 + [1] * 6
    assert motion.is_tracked.tolist() == [True] * 5 + [False] * 8 + [True] * 6
    cut = extract_motion(make_source([90] * 9 + [250] * 10), make_follower(script), MODEL)
    assert cut.shot.tolist() == [0] * 9 + [1] * 10 and cut.is_tracked.all()


def test_who_is_hidden_by_somebody_else_is_followed_again():
    frames = [Frame(pixels, n, Fraction(n, 25)) for n, pixels in enumerate(passing(76, lambda n: 300 - 5 * n))]
    with FaceTracker() as tracker:
        follower = FaceFollower(tracker, "largest", OneEuroFilter(), "driver")
        found = [face for _, face, _ in follower.follow(frames)]
    is_seen = [face is not None for face in found]
    assert all(is_seen[:20]) and all(is_seen[-10:]) and 5 < is_seen.count(False) < 50
    columns = [face[:, 0].mean() for face in found if face is not None]
    assert min(columns) > 125 and max(columns) < 170  # the other one passes from 200 to 0
    assert follower.num_shots == 1


@pytest.mark.parametrize("during", [12, 25])
def test_a_fade_into_another_person_is_another_shot(during):
    frames = [Frame(pixels, n, Fraction(n, 25)) for n, pixels in enumerate(fading(8, during, 16))]
    with FaceTracker() as tracker:
        follower = FaceFollower(tracker, "largest", OneEuroFilter(), "driver")
        found = [face is not None for _, face, _ in follower.follow(frames)]
    assert follower.num_shots == 2 and all(found[:8]) and all(found[-6:])


def test_a_flash_is_a_gap_in_one_shot():
    follower = make_follower([[FACE]] * 6)
    followed = follow_all(follower, [90, 90, 250, 250, 90, 90, 90, 90])
    assert [face is None for face in followed] == [False, False, True, True, False, False, False, False]
    assert follower.num_shots == 1


def test_a_face_cut_in_half_by_the_border_is_a_gap():
    follower = make_follower([[FACE], [TrackedFace(FACE, presence=0.6)], [FACE]])
    assert [face is None for face in follow_all(follower, [90] * 3)] == [False, True, False]


def test_a_face_that_is_lost_for_good_is_a_gap_not_an_error():
    script = [[FACE], *[[SMALLER_RIGHT, LARGER_LEFT]] * (PATIENCE + 2)]
    followed = follow_all(make_follower(script, "only"), [90] * len(script))
    assert all(face is None for face in followed[1:])


def test_a_cut_begins_a_shot_with_its_own_person_and_choice():
    script = [[FACE]] * 3 + [[SMALLER_RIGHT, LARGER_LEFT]] * 3
    follower = make_follower(script)
    motion = extract_motion(make_source([30] * 3 + [220] * 3), follower, MODEL)
    assert motion.shot.tolist() == [0, 0, 0, 1, 1, 1]
    assert motion.is_tracked.all()
    assert motion.identity.shape == (2, 40)
    _, own = MODEL.fit(torch.from_numpy(np.stack([FACE] * 3)))
    _, other = MODEL.fit(torch.from_numpy(np.stack([LARGER_LEFT] * 3)))
    torch.testing.assert_close(motion.identity, torch.cat([own, other]))
    assert follower.tracker.num_resets == 2


def test_a_cut_resets_the_smoothing():
    follower = FaceFollower(ScriptedTracker([[FACE], [FACE + 2], [FACE + 4]]), "largest", OneEuroFilter(), "driver")
    followed = follow_all(follower, [30, 30, 220])
    assert (followed[1] < FACE + 2)[:, :2].all()
    np.testing.assert_array_equal(followed[2], FACE + 4)


def test_a_later_shot_without_the_face_asked_for_is_a_gap():
    script = [[FACE, SMALLER_RIGHT]] * 2 + [[FACE]] * 2
    motion = extract_motion(make_source([30] * 2 + [220] * 2), make_follower(script, "2"), MODEL)
    assert motion.is_tracked.tolist() == [True, True, False, False]


def test_a_first_choice_that_is_impossible_is_an_error():
    with pytest.raises(FaceError, match=r"driver 'made-up.mp4': face 2 asked for, 1 found"):
        follow_all(make_follower([[FACE]], "2"), [90])


def test_a_driver_without_any_face():
    with pytest.raises(FaceError, match=r"driver 'made-up.mp4' \(3 frames\): no face found"):
        extract_motion(make_source([90] * 3), make_follower([[], [], []]), MODEL)


def test_blendshapes_are_those_of_the_landmarks_and_0_in_a_gap():
    motion = extract_motion(make_source([90] * 3), make_follower([[FACE], [], [FACE]]), MODEL)
    expected = torch.from_numpy(estimate_blendshapes(FACE))
    assert motion.blendshapes.shape == (3, 52) and 0 < expected.max() <= 1
    torch.testing.assert_close(motion.blendshapes, torch.stack([expected, 0 * expected, expected]))
