from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.motion import Motion
from fadm.attributes.placement import EASED, FAR, MAX_SPEED, NEAR, calm_camera, ease_returns

SCALE = 50.0  # pixels in a unit of the face model


def make_motion(x, size=None, shot=None) -> Motion:
    """A head whose place in units is given for each frame."""
    x = torch.as_tensor(np.asarray(x), dtype=torch.float32)
    count = len(x)
    size = torch.ones(count) if size is None else torch.as_tensor(np.asarray(size), dtype=torch.float32)
    camera = torch.stack([SCALE * size, 100 + SCALE * x, torch.full((count,), 80.0)], 1)
    attributes = FaceAttributes(
        torch.zeros(count, 50), torch.zeros(count, 6), camera, torch.zeros(count, 4), torch.zeros(count, 2)
    )
    shots = torch.zeros(count, dtype=torch.int64) if shot is None else torch.tensor(shot)
    identity, pts = torch.zeros(int(shots.max()) + 1, 40), torch.arange(count)
    is_tracked = torch.ones(count, dtype=torch.bool)
    return Motion(attributes, is_tracked, shots, identity, pts, Fraction(1, 25), Fraction(25))


def places(camera: torch.Tensor) -> np.ndarray:
    return ((camera[:, 1] - 100) / SCALE).numpy()


def test_what_stays_near_its_anchor_is_kept_as_it_is():
    t = np.arange(100) / 25
    motion = make_motion(0.9 * NEAR * np.sin(3 * t), 1 + 0.1 * np.sin(4 * t))
    torch.testing.assert_close(calm_camera(motion, {0: 0}), motion.attributes.camera)


def test_a_walk_takes_the_place_of_rest_along():
    walk = np.concatenate([np.zeros(50), np.linspace(0, 12, 100), np.full(50, 12)])
    way = places(calm_camera(make_motion(walk), {0: 0}))
    assert np.abs(way).max() < FAR + 0.2
    assert np.abs(way[[5, 100, -5]]).max() < 0.1  # before, in the middle, and after
    assert np.abs(np.diff(way)).max() <= MAX_SPEED / 25 * 1.01


def test_a_jump_is_no_movement():
    """As after a gap in which the driver went elsewhere."""
    step = np.where(np.arange(60) < 30, 0, 4) + 0.1 * np.sin(np.arange(60))
    way = places(calm_camera(make_motion(step), {0: 0}))
    assert np.abs(way).max() < 0.3 and np.abs(np.diff(way)).max() < 0.15


def test_size_comes_back_to_rest():
    size = np.concatenate([np.ones(40), np.linspace(1, 2.2, 60), np.full(60, 2.2)])
    sizes = calm_camera(make_motion(np.zeros(160), size), {0: 0})[:, 0].numpy() / SCALE
    assert sizes.max() < 1.6 and sizes[-5:] == pytest.approx(1, abs=0.1) and np.abs(np.diff(sizes)).max() < 0.07


def test_each_shot_is_calmed_from_its_own_anchor():
    motion = make_motion([0, 0.1, 0.2, 7, 7.1, 7.2], shot=[0, 0, 0, 1, 1, 1])
    torch.testing.assert_close(calm_camera(motion, {0: 0, 1: 4}), motion.attributes.camera)


def test_a_shot_of_one_frame():
    motion = make_motion([3.0])
    torch.testing.assert_close(calm_camera(motion, {0: 0}), motion.attributes.camera)


def test_what_was_held_passes_into_what_is_seen():
    motion = make_motion([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    is_tracked = torch.tensor([True, False, False, False, True, True, True, True, True, True])
    way = places(ease_returns(motion, is_tracked).attributes.camera)
    np.testing.assert_allclose(way[3:8], np.minimum(np.arange(5) / (min(EASED, 3) + 1), 1), atol=1e-6)


@pytest.mark.parametrize("is_tracked", [[True, False, True, True], [False, False, True, True]])
def test_a_gap_of_one_frame_and_one_at_the_start_are_not_eased(is_tracked):
    motion = make_motion([0, 0, 1, 1])
    eased = ease_returns(motion, torch.tensor(is_tracked))
    torch.testing.assert_close(eased.attributes.camera, motion.attributes.camera)


def test_nothing_passes_over_a_cut():
    motion = make_motion([0, 0, 0, 1, 1], shot=[0, 0, 0, 1, 1])
    eased = ease_returns(motion, torch.tensor([True, False, False, True, True]))
    torch.testing.assert_close(eased.attributes.camera, motion.attributes.camera)


def test_blendshapes_are_eased_too():
    motion = replace(make_motion([0, 0, 0, 1]), blendshapes=torch.tensor([[0.0], [0], [0], [1]]))
    eased = ease_returns(motion, torch.tensor([True, False, False, True]))
    assert 0 < float(eased.blendshapes[3, 0]) < 1
