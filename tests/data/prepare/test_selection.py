import numpy as np
import pytest
import torch

from fadm.attributes.landmark_model import load_landmark_model
from fadm.coarse.driver_crops import face_window
from fadm.data.prepare.face_tracks import FaceTrack
from fadm.data.prepare.options import ClipOptions
from fadm.data.prepare.selection import choose_different, judge_still, judge_track, middle_square, spread_evenly
from fadm.media.crop import Square
from tests.attributes.made_up import make_attributes, make_identity, make_landmarks

MODEL = load_landmark_model()
SIZE = (512, 512)


def made_up_landmarks(num_frames: int = 30) -> np.ndarray:
    return make_landmarks(MODEL, make_attributes(num_frames), make_identity(MODEL)).numpy() + np.float32(128)


def make_track(landmarks: np.ndarray, *, rate: float = 10.0, num_sampled: int = 0) -> FaceTrack:
    track = FaceTrack(0, 0, 0.0, 0)
    for i, face in enumerate(landmarks):
        track.add(i, 3 * i, i / rate, face)
    track.last_sampled = (num_sampled or len(landmarks)) - 1
    return track


def judge(track: FaceTrack, **options):
    return judge_track(track, SIZE, ClipOptions(**options), MODEL)


def test_a_good_track_is_kept_with_frames_in_order():
    candidate = judge(make_track(made_up_landmarks()), frames=10)
    assert candidate.reason == "" and len(candidate.numbers) == 10 and candidate.landmarks.shape == (10, 478, 3)
    assert list(candidate.numbers) == sorted(set(candidate.numbers)) and candidate.seconds == 2.9
    np.testing.assert_array_equal(candidate.landmarks, made_up_landmarks()[np.array(candidate.numbers) // 3])


@pytest.mark.parametrize(
    ("reason", "track", "options"),
    [
        ("too short", make_track(made_up_landmarks(), rate=40), {}),
        ("too short", make_track(made_up_landmarks(1)), {"shortest": 0.0}),
        ("face too small", make_track(made_up_landmarks() / 4), {}),
        ("face lost", make_track(made_up_landmarks(), num_sampled=36), {}),
        ("moves too much", make_track(made_up_landmarks() + 15 * np.arange(30)[:, None, None]), {}),
        ("outside the picture", make_track(made_up_landmarks() - 240), {}),
    ],
)
def test_a_track_is_dropped_with_the_reason(reason, track, options):
    candidate = judge(track, **options)
    assert candidate.reason == reason and candidate.detail and 1 <= len(candidate.numbers) <= 8


def test_the_rules_are_options():
    loose = {"shortest": 0.1, "smallest": 10, "lost": 0.5, "outside": 1.0, "extent": 10.0}
    moving = made_up_landmarks() / 4 + 3 * np.arange(30)[:, None, None].astype(np.float32)
    assert judge(make_track(moving, rate=40, num_sampled=36), **loose).reason == ""


def test_frames_that_differ_are_chosen():
    """Thirty times the same face, four others among them."""
    faces = made_up_landmarks(5)
    landmarks = np.repeat(faces[:1], 34, 0)
    landmarks[[3, 11, 20, 33]] = faces[1:]
    chosen = choose_different(landmarks, 5, MODEL)
    assert {3, 11, 20, 33} < set(chosen) and chosen == sorted(chosen) and len(chosen) == 5
    assert choose_different(landmarks[:4], 5, MODEL) == [0, 1, 2, 3]


def test_place_and_size_make_no_difference():
    landmarks = made_up_landmarks()
    moved = landmarks * np.linspace(1, 1.5, 30, dtype=np.float32)[:, None, None]
    assert choose_different(landmarks, 8, MODEL) == choose_different(moved, 8, MODEL)


def test_every_frame_is_kept_if_asked_for():
    assert judge(make_track(made_up_landmarks()), every=2, frames=12).numbers == tuple(range(0, 36, 3))


def test_the_window_holds_every_place_of_the_face_with_the_renderers_margin():
    ovals = np.array([[[100, 100], [180, 200]], [[140, 100], [220, 200]]], np.float32)
    assert face_window(ovals, face=100, extent=120) == Square(62, 52, 195)  # 120 + 0.75 * 100


def test_a_whole_picture_is_its_middle_square():
    assert middle_square(320, 240) == Square(40, 0, 240)
    candidate = judge_track(make_track(made_up_landmarks()), (300, 256), ClipOptions(), MODEL, is_whole=True)
    assert candidate.window == Square(22, 0, 256)


def test_of_a_still_the_largest_face_is_kept():
    large, small = made_up_landmarks(2)
    small = small / 2
    kept = judge_still([small, large], SIZE, ClipOptions())
    assert kept.reason == "" and kept.numbers == (0,)
    torch.testing.assert_close(kept.landmarks[0], large)
    assert judge_still([], SIZE, ClipOptions()).reason == "no face"
    assert judge_still([large / 4], SIZE, ClipOptions()).reason == "face too small"
    assert judge_still([large - 240], SIZE, ClipOptions()).reason == "outside the picture"


def test_spreading_takes_the_ends():
    assert spread_evenly(10, 4) == [0, 3, 6, 9]
    assert spread_evenly(2, 8) == [0, 1]
