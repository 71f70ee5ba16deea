import math

import pytest
import torch

from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import load_landmark_model
from fadm.metrics.attributes import (
    expression_distance_l1,
    expression_distance_l2,
    fit_attributes,
    head_angle,
    pose_distance_l1,
    pose_distance_l2,
)
from tests.face.portraits import read_portrait


def make_attributes(expression=0.0, pose=(0.0,) * 6):
    return FaceAttributes(
        expression=torch.full((1, 50), expression),
        pose=torch.tensor([pose]),
        camera=torch.ones(1, 3),
        gaze=torch.zeros(1, 4),
        lids=torch.zeros(1, 2),
    )


def test_expression_distances():
    a, b = make_attributes(0.5), make_attributes(-1.5)
    assert expression_distance_l1(a, b).item() == pytest.approx(2)
    assert expression_distance_l2(a, b).item() == pytest.approx(2 * math.sqrt(50))


def test_pose_distances_and_head_angle():
    a, b = make_attributes(), make_attributes(pose=(0.0, 0.3, 0.0, 0.4, 0.0, 0.0))
    assert pose_distance_l1(a, b).item() == pytest.approx(0.7 / 6)
    assert pose_distance_l2(a, b).item() == pytest.approx(0.5)
    assert head_angle(a, b).item() == pytest.approx(math.degrees(0.3), abs=1e-4)  # the jaw's turn is not the head's


@pytest.mark.parametrize("angle", [0.0, 1e-4, 3.1])
def test_head_angle_is_that_between_two_turns_of_one_axis(angle):
    a, b = make_attributes(pose=(0.2, 0.0, 0.0) * 2), make_attributes(pose=(0.2 + angle, 0.0, 0.0) * 2)
    assert head_angle(a, b).item() == pytest.approx(math.degrees(angle), abs=1e-4)


def test_a_turned_face_differs_in_pose_and_not_in_expression():
    landmarks = torch.from_numpy(read_portrait().landmarks)
    angle = torch.tensor(0.2)
    turn = torch.tensor([[angle.cos(), -angle.sin(), 0], [angle.sin(), angle.cos(), 0], [0, 0, 1]])
    frames = torch.stack([landmarks, landmarks @ turn.T, torch.full_like(landmarks, torch.nan), landmarks])
    attributes = fit_attributes(load_landmark_model(), frames)
    still, turned, back = attributes[[0]], attributes[[1]], attributes[[3]]
    assert head_angle(still, turned).item() == pytest.approx(math.degrees(0.2), abs=0.5)
    assert expression_distance_l1(still, turned).item() < 0.05
    assert head_angle(still, back).item() < 1e-2
    assert attributes.expression.isnan().any(dim=1).tolist() == [False, False, True, False]


def test_no_face_at_all_is_nothing_measured():
    attributes = fit_attributes(load_landmark_model(), torch.full((2, 478, 3), torch.nan))
    assert expression_distance_l1(attributes, attributes).isnan().all() and attributes.pose.shape == (2, 6)


def test_other_landmarks_are_refused():
    with pytest.raises(IndexError, match="out of bounds"):
        fit_attributes(load_landmark_model(), torch.rand(1, 68, 3))
