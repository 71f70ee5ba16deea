import numpy as np
import pytest
import torch

from fadm.attributes.landmark_model import load_landmark_model
from fadm.errors import OptionError
from fadm.evaluation.driving import _find_start, choose_drive
from fadm.evaluation.features import ClipFrames, FeatureExtractors
from fadm.evaluation.pairs import Case
from tests.evaluation.made_up import read_shard, swaying_head
from tests.tiny_networks import BY_LANDMARKS, tiny_networks


def test_the_start_is_the_nearest_pose_the_first_frame_or_none():
    model = load_landmark_model()
    attributes, identity = model.fit(torch.from_numpy(np.stack([points for _, points in swaying_head()])))
    source = attributes[[2]]
    starts = {
        motion: _find_start(model, attributes, identity, source, motion) for motion in ("best", "first", "absolute")
    }
    assert starts == {"best": 2, "first": 0, "absolute": None}


def test_frames_come_case_by_case_for_all_of_a_source(shard):
    frames = ClipFrames(read_shard(shard), FeatureExtractors(()))
    cases = [Case("0", "clip-a", 0, "clip-a", (1, 2)), Case("1", "clip-a", 0, "clip-a", (0,))]
    source = frames.face("clip-a", 0)
    pairs = list(choose_drive("geometric", "best", has_truth=True)(source, cases, frames))
    assert len(pairs) == 3
    differences = [np.abs(pair.coarse.astype(float) - source.pixels).mean() for pair in pairs]
    assert differences[2] < 1 < differences[0] < differences[1]  # the source drives itself last
    np.testing.assert_allclose(pairs[2].attributes_driving, pairs[2].attributes_source, atol=0.05)


def test_a_renderer_drives_nothing(tmp_path):
    with tiny_networks(tmp_path), pytest.raises(OptionError, match="these weights animate nothing"):
        choose_drive(BY_LANDMARKS, "best", has_truth=True)
