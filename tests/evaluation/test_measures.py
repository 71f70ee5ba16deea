import numpy as np
import pytest
import torch

from fadm.evaluation.features import FeatureExtractors, FrameFeatures
from fadm.evaluation.measures import BY_NAME, METRICS, Reference, measure, measured_names
from fadm.evaluation.options import GROUPS
from tests.evaluation.synthetic_clips import SIDE, swaying_head

ALL = {"has_truth": True, "is_video": True, "missing": ()}


def make_scene(extractors, has_truth=True):
    frames = swaying_head()
    targets = [FrameFeatures(pixels, extractors) for pixels, _ in frames]
    stored = torch.from_numpy(np.stack([points for _, points in frames]))
    identity = extractors.model.fit(stored)[1]
    return Reference(targets[0], targets, stored, (identity, identity), has_truth, is_video=True)


def test_what_applies_depends_on_the_protocol():
    assert len(BY_NAME) == len(METRICS)
    assert {metric.group for metric in METRICS} == {*GROUPS} - {"following", "distribution"}
    assert measured_names(GROUPS, **ALL) == [metric.name for metric in METRICS]
    cross = measured_names(GROUPS, **ALL | {"has_truth": False})
    assert not {"l1", "akd", "lpips_alex", "flicker_still"} & {*cross} and {"missing_face", "csim_dlib"} <= {*cross}
    single = measured_names(("landmarks", "temporal"), **ALL | {"is_video": False})
    assert "missing_face" in measured_names(("identity",), **ALL) and measured_names(("temporal",), **ALL)[0] != "akd"
    assert measured_names(("following",), **ALL) == ["missing_face", "missing_face_driver"]
    assert measured_names(("following",), **ALL, has_motion=False) == []
    assert single == [metric.name for metric in METRICS if metric.group == "landmarks"]


def test_a_region_sees_only_what_lies_in_it():
    extractors = FeatureExtractors(())
    scene = make_scene(extractors)
    names = [metric.name for metric in METRICS if metric.group == "pixel"]
    dark = swaying_head()[0][0].copy()
    dark[:20] = 0  # far above the face
    values = measure([FrameFeatures(dark, extractors)], scene, names, extractors)
    assert values["l1"][0] > 0 and values["l1_face"][0] == values["l1_mouth_eyes"][0] == 0
    mouthless = swaying_head()[0][0].copy()
    x, y = swaying_head()[0][1][[13, 14], :2].mean(0).round().astype(int)
    mouthless[y - 2 : y + 3, x - 2 : x + 3] = 0
    values = measure([FrameFeatures(mouthless, extractors)], scene, names, extractors)
    assert values["l1_mouth_eyes"][0] > values["l1_face"][0] > values["l1"][0] > 0


def test_what_is_not_there_is_nan():
    extractors = FeatureExtractors(())
    scene = make_scene(extractors)
    names = measured_names(("pixel", "landmarks", "attributes", "temporal"), **ALL | {"missing": ("akd_fan68",)})
    values = measure(scene.targets[:1], scene, names, extractors)
    for name, numbers in values.items():
        assert len(numbers) == BY_NAME[name].count(4), name
        assert np.isnan(numbers[1:]).all(), name
    assert values["l1"][0] == 0 and values["akd"][0] == 0


def test_a_face_is_steady_against_itself_and_not_under_noise():
    extractors = FeatureExtractors(())
    scene = make_scene(extractors)
    names = [metric.name for metric in METRICS if metric.group == "temporal"]
    own = measure(scene.targets, scene, names, extractors)
    assert own["jitter_against_driver"] == [0, 0] and own["landmark_jitter"] == own["landmark_jitter_driver"]
    draws = np.random.default_rng(0)
    noise = [np.clip(t.pixels + draws.normal(0, 8, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8) for t in scene.targets]
    noisy = measure([FrameFeatures(pixels, extractors) for pixels in noise], scene, names, extractors)
    assert noisy["flicker_face"][0] > 1.5 * own["flicker_face"][0]
    assert noisy["jitter_against_driver"][0] > 0.05
    assert noisy["flicker_face_driver"] == pytest.approx(own["flicker_face"])
