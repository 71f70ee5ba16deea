from dataclasses import replace

import pytest
import torch

from fadm.animation.seen_face import measure_angles, measure_controls
from fadm.attributes.directions import change_attributes
from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import FittedFace, load_landmark_model
from fadm.controls import FaceControls
from tests.attributes.made_up import without_map

MODEL = without_map(load_landmark_model())  # its faces move by the measures that are measured
REST = FaceAttributes(
    torch.zeros(1, 50), torch.zeros(1, 6), torch.tensor([[100.0, 0, 0]]), torch.zeros(1, 4), torch.zeros(1, 2)
)


def make_face(controls: FaceControls) -> FittedFace:
    """The mean face with these changes."""
    attributes = change_attributes(MODEL, REST, MODEL.mean[None], controls)
    canonical = MODEL.mean + MODEL.displacement(attributes.expression, attributes.jaw)
    return FittedFace(canonical, canonical, attributes, torch.zeros(1, MODEL.config.num_identity))


AT_REST = measure_controls(MODEL, make_face(FaceControls()))


def test_the_mean_face_makes_no_movement_but_has_its_lips_apart():
    measured = dict(AT_REST)
    assert measured.pop("mouth_open") == pytest.approx(0.28, abs=0.01)
    assert list(measured.values()) == pytest.approx([0] * 7, abs=1e-5)


@pytest.mark.parametrize("name", ["smile", "pucker", "blink_left", "blink_right", "brows_up", "gaze_left", "gaze_up"])
@pytest.mark.parametrize("value", [1.0, -0.5])
def test_a_control_is_measured_as_it_was_set_and_no_other(name, value):
    measured = measure_controls(MODEL, make_face(FaceControls(**{name: value})))
    assert measured.pop(name) == pytest.approx(value, abs=0.03)
    assert all(abs(measured[other] - AT_REST[other]) < 0.05 for other in measured)


def test_an_opened_jaw_opens_the_mouth():
    measured = measure_controls(MODEL, make_face(FaceControls(mouth_open=1)))
    assert measured["mouth_open"] == pytest.approx(AT_REST["mouth_open"] + 1, abs=0.03)


@pytest.mark.parametrize("name", ["yaw", "pitch", "roll"])
def test_angles_are_measured_as_they_were_set(name):
    angles = measure_angles(make_face(FaceControls(**{name: 30.0})).attributes)
    assert angles.pop(name) == pytest.approx(30, abs=1e-3)
    assert list(angles.values()) == pytest.approx([0, 0], abs=1e-3)


def test_angles_are_measured_of_attributes_with_a_pose():
    with pytest.raises(ValueError, match="not enough values"):
        measure_angles(replace(REST, pose=torch.zeros(1, 2)))
