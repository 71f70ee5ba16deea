import pytest
import torch

from fadm.coarse.face_vid2vid.head_pose import HeadPose
from fadm.training.losses.priors import (
    measure_crowding,
    measure_depth_error,
    measure_expression,
    measure_pose_error,
)


def test_crowding_counts_each_close_pair_from_both_sides():
    positions = torch.tensor([[[0.0, 0.0, 0.0], [0.2, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    assert measure_crowding(positions, 0.1).item() == pytest.approx(2 * (0.1 - 0.04))
    apart = torch.tensor([[[0.0, 0.0, 0.0], [0.4, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    assert measure_crowding(apart, 0.1).item() == 0
    assert measure_crowding(torch.cat([positions, apart]), 0.1).item() == pytest.approx(0.1 - 0.04)


def test_coinciding_key_points_have_finite_gradients():
    positions = torch.zeros(1, 3, 3, requires_grad=True)
    measure_crowding(positions, 0.1).backward()
    assert positions.grad is not None and positions.grad.isfinite().all()


def test_depth_is_held_picture_by_picture():
    positions = torch.zeros(2, 4, 3)
    positions[0, :, 2] = torch.tensor([0.0, 0.2, 0.4, 0.6])
    positions[1, :, 2] = 0.43
    assert measure_depth_error(positions, 0.33).item() == pytest.approx((0.03 + 0.1) / 2, rel=1e-5)


def test_angles_are_compared_in_the_order_yaw_pitch_roll():
    angles = torch.tensor([[10.0, -5.0, 2.0], [0.0, 0.0, 0.0]])
    pose = HeadPose(angles[:, 0] + 1, angles[:, 1] - 2, angles[:, 2] + 4, torch.zeros(2, 3), torch.zeros(2, 4, 3))
    assert measure_pose_error(pose, angles).item() == pytest.approx(7)
    assert measure_pose_error(pose, angles.flip(1)).item() > 7


def test_expression_is_an_l1_norm():
    expression = torch.zeros(2, 4, 3)
    expression[0, 1, 2], expression[1, 0] = -3, torch.tensor([1.0, -1.0, 2.0])
    assert measure_expression(expression).item() == pytest.approx((3 + 4) / 2)
