import numpy as np
import pytest

from fadm.attributes.landmark_model import load_landmark_model
from fadm.face.smoothing import OneEuroFilter
from fadm.face.topology import LOWER_LID_RIGHT, UPPER_LID_RIGHT

RATE = 30
FACE = (load_landmark_model().mean.numpy() * 90 + [128, 128, 0]).astype(np.float32)  # 141 pixels wide
UPPER, LOWER = list(UPPER_LID_RIGHT[2:7]), list(LOWER_LID_RIGHT[2:7])


def smooth(frames, smoothing: OneEuroFilter | None = None) -> np.ndarray:
    smoothing = smoothing or OneEuroFilter()
    return np.stack([smoothing(landmarks, number / RATE) for number, landmarks in enumerate(frames)])


def test_jitter_of_a_still_face_is_at_least_halved():
    rng = np.random.default_rng(0)
    tracked = FACE + rng.normal(0, 0.3, (90, *FACE.shape)).astype(np.float32)
    before, after = (np.abs(np.diff(track[30:], axis=0)).mean() for track in (tracked, smooth(tracked)))
    assert after < 0.5 * before


def test_a_blink_keeps_its_depth_and_lags_less_than_a_frame():
    closed = np.array([0] * 30 + [1 / 3, 2 / 3, 1, 2 / 3, 1 / 3] + [0] * 15)
    tracked = np.repeat(FACE[None], len(closed), axis=0)
    tracked[:, UPPER] += closed[:, None, None] * (FACE[LOWER] - FACE[UPPER])
    lids = smooth(tracked)
    height = (FACE[LOWER, 1] - FACE[UPPER, 1]).mean()
    smoothed = 1 - (lids[:, LOWER, 1] - lids[:, UPPER, 1]).mean(1) / height
    frames = np.arange(len(closed))
    assert smoothed.max() > 0.8
    assert (frames @ smoothed) / smoothed.sum() - (frames @ closed) / closed.sum() < 1


def test_a_landmark_at_constant_speed_trails_by_the_time_of_its_cutoff():
    speed = 2.0  # face widths per second
    width = np.ptp(FACE[:, 0])
    tracked = [FACE + np.array([speed * width * number / RATE, 0, 0]) for number in range(120)]
    smoothing = OneEuroFilter(min_cutoff=1.0, beta=0.0)
    lag = (tracked[-1] - smooth(tracked, smoothing)[-1])[:, 0] / (speed * width)
    np.testing.assert_allclose(lag, 1 / (2 * np.pi * 1.0), rtol=1e-3)


def test_resolution_does_not_matter():
    rng = np.random.default_rng(1)
    tracked = FACE + np.cumsum(rng.normal(0, 1, (20, *FACE.shape)), axis=0).astype(np.float32)
    np.testing.assert_allclose(smooth(4 * tracked), 4 * smooth(tracked), rtol=1e-4)


def test_reset_or_a_step_back_in_time_starts_anew():
    smoothing = OneEuroFilter()
    smoothing(FACE, 0.0)
    smoothing.reset()
    np.testing.assert_array_equal(smoothing(FACE + 5, 0.1), FACE + 5)
    np.testing.assert_array_equal(smoothing(FACE, 0.1), FACE)


def test_zero_cutoff_switches_it_off():
    smoothing = OneEuroFilter(min_cutoff=0)
    assert smoothing(FACE, 0.0) is FACE
    moved = FACE + 1
    assert smoothing(moved, 0.1) is moved


def test_number_of_landmarks_must_stay():
    smoothing = OneEuroFilter()
    smoothing(FACE, 0.0)
    with pytest.raises(ValueError, match="could not be broadcast"):
        smoothing(FACE[:468], 0.1)
