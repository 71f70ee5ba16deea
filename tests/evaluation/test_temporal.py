import numpy as np
import pytest

from fadm.evaluation import temporal as steadiness
from fadm.evaluation.features import FeatureExtractors, FrameFeatures
from fadm.evaluation.temporal import measure_steadiness
from tests.evaluation.synthetic_clips import SIDE, swaying_head


@pytest.fixture(scope="module")
def frames():
    extractors = FeatureExtractors(())
    return [FrameFeatures(pixels, extractors) for pixels, _ in swaying_head()] * 2


def test_a_few_frames_at_a_time_give_the_same_numbers(monkeypatch, frames):
    whole = measure_steadiness(frames, frames[::-1], has_truth=True)
    assert {len(whole[name]) for name in ("warp_error", "warp_error_driver")} == {7}
    assert {len(numbers) for name, numbers in whole.items() if "warp" not in name} == {6}
    for chunk in (1, 3):
        monkeypatch.setattr(steadiness, "CHUNK", chunk)
        parts = measure_steadiness(frames, frames[::-1], has_truth=True)
        assert parts.keys() == whole.keys()
        for name, numbers in whole.items():
            np.testing.assert_allclose(parts[name], numbers, rtol=1e-6)


def test_the_driver_itself_is_as_steady_as_the_driver(frames):
    values = measure_steadiness(frames, frames, has_truth=True)
    assert (
        values["warp_error"] == values["warp_error_driver"] and values["flicker_face"] == values["flicker_face_driver"]
    )
    assert max(values["jitter_against_driver"]) == 0 and min(values["landmark_jitter"]) > 0


def test_a_frozen_face_is_steady_and_follows_nothing(frames):
    values = measure_steadiness(frames[:1] * len(frames), frames, has_truth=True)
    assert max(values["flicker_face"]) == max(values["flicker_still"]) == max(values["landmark_jitter"]) == 0
    assert values["jitter_against_driver"] == pytest.approx(values["landmark_jitter_driver"], rel=1e-4)
    assert np.mean(values["warp_error"]) > 2 * np.mean(values["warp_error_driver"])


def test_without_truth_or_face_there_is_less(frames):
    blank = [FrameFeatures(np.full((SIDE, SIDE, 3), 90, np.uint8), frames[0]._extractors)] * 3
    values = measure_steadiness(blank, frames[:3], has_truth=False)
    assert "warp_error" not in values and "flicker_still" not in values
    assert np.isnan(values["flicker_face"]).all() and not np.isnan(values["flicker_face_driver"]).any()
