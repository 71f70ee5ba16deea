from dataclasses import fields

import pytest
import torch

from fadm.attributes.directions import (
    COMBINATIONS,
    FULL_JAW,
    change_attributes,
    combine_controls,
    find_expression,
    measure_gradients,
)
from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import load_landmark_model, pose_landmarks
from fadm.blendshapes import BLENDSHAPES
from fadm.controls import FaceControls
from fadm.errors import WeightsError
from fadm.face import topology
from tests.attributes.made_up import make_mapped_model, without_map
from tests.face.portraits import eye_openings

MODEL = without_map(load_landmark_model())  # measures move its faces
MAPPED = make_mapped_model(MODEL)
GRADIENTS = measure_gradients(MODEL)
REST = FaceAttributes(
    torch.zeros(1, 50), torch.zeros(1, 6), torch.tensor([[100.0, 128.0, 128.0]]), torch.zeros(1, 4), torch.zeros(1, 2)
)


def measure(displacement: torch.Tensor) -> dict[str, float]:
    return {name: float((gradient * displacement).sum()) for name, gradient in GRADIENTS.items()}


def change(**controls) -> FaceAttributes:
    return change_attributes(MODEL, REST, MODEL.mean[None], FaceControls(**controls))


def show(attributes: FaceAttributes) -> torch.Tensor:
    """Landmarks (478, 3) in pixels, 100 to a model unit."""
    shape = MODEL.mean + MODEL.displacement(attributes.expression, attributes.jaw)
    return pose_landmarks(shape, attributes)[0]


def moved(**controls: float) -> torch.Tensor:
    """How far each landmark (478, 3) goes, pixels."""
    return show(change(**controls)) - show(REST)


@pytest.mark.parametrize("name", list(GRADIENTS))
def test_one_measure_changes_as_asked_and_the_others_stay(name):
    expression = find_expression(MODEL, {name: 0.05})
    assert expression.shape == (1, 50)
    found = measure(MODEL.displacement(expression, torch.zeros(1, 3))[0])
    assert found.pop(name) == pytest.approx(0.05, rel=0.05)
    assert max(abs(value) for value in found.values()) < 0.0025


def test_the_expression_found_is_the_likeliest():
    expression = find_expression(MODEL, {"smile": 0.05})[0]
    G = torch.stack([(MODEL.expression_basis * gradient).sum((1, 2)) for gradient in GRADIENTS.values()])
    in_span = G.T @ torch.linalg.lstsq(G.T, expression).solution
    torch.testing.assert_close(in_span, expression, atol=1e-4, rtol=0)  # nothing that no measure asks for


@pytest.mark.parametrize(("name", "closed", "other"), [("blink_right", 0, 1), ("blink_left", 1, 0)])
def test_a_blink_closes_its_eye_and_leaves_the_other(name, closed, other):
    rest, blink = eye_openings(show(REST)), eye_openings(show(change(**{name: 1.0})))
    assert abs(blink[closed]) < 0.1 * rest[closed]
    assert blink[other] == pytest.approx(rest[other], rel=0.1)


def test_a_smile_raises_the_corners_of_the_mouth():
    assert (moved(smile=1.0)[list(topology.MOUTH_CORNERS), 1] < -5).all()
    assert (moved(smile=-1.0)[list(topology.MOUTH_CORNERS), 1] > 5).all()


def test_the_jaw_opens_the_mouth():
    changed = change(mouth_open=1.0)
    torch.testing.assert_close(changed.jaw, torch.tensor([[FULL_JAW, 0.0, 0.0]]))
    assert moved(mouth_open=1.0)[topology.CHIN, 1] > 5


def test_brows_and_pucker_move_what_they_name():
    assert moved(brows_up=1.0)[list(topology.BROW_LEFT), 1].mean() < -3
    right, left = moved(pucker=1.0)[list(topology.MOUTH_CORNERS)]
    assert right[0] > 3 and left[0] < -3


def test_the_head_turns_to_its_own_left_lowers_and_tilts_to_its_left():
    nose = moved(yaw=20.0)[topology.NOSE_TIP]
    assert nose[0] > 5  # its left is on the right of the picture
    assert moved(pitch=20.0)[topology.NOSE_TIP, 1] > 5
    tilted = moved(roll=20.0)
    assert tilted[topology.FOREHEAD_TOP, 0] > 5 and tilted[topology.CHIN, 0] < -5


def test_gaze_moves_both_irises_alone():
    changed = change(gaze_left=1.0, gaze_up=0.5)
    assert torch.equal(changed.gaze[:, :2], changed.gaze[:, 2:])
    assert changed.gaze[0, 0] > 0 > changed.gaze[0, 1]
    assert torch.equal(changed.expression, REST.expression)


def test_no_control_changes_nothing():
    changed = change()
    torch.testing.assert_close(changed.vector, REST.vector)
    assert torch.equal(changed.camera, REST.camera) and torch.equal(changed.gaze, REST.gaze)


def test_the_model_and_the_face_have_one_size():
    with pytest.raises(IndexError, match="out of"):
        change_attributes(MODEL, REST, MODEL.mean[None, :100], FaceControls(blink_left=1))


def act(**blendshapes: float) -> FaceAttributes:
    return change_attributes(MAPPED, REST, MODEL.mean[None], FaceControls(blendshapes=blendshapes))


def test_a_blendshape_moves_the_face_by_the_map():
    blendshapes = torch.zeros(1, 52)
    blendshapes[0, BLENDSHAPES.index("browInnerUp")] = 0.5
    expected = MAPPED.blendshape_map.to_change(blendshapes)
    changed = act(browInnerUp=0.5)
    torch.testing.assert_close(changed.expression, expected.expression)
    assert act(jawOpen=1.0).jaw[0, 0] == pytest.approx(0.22, abs=0.01)
    assert (show(act(jawOpen=1.0)) - show(REST))[topology.CHIN, 1] > 5


def test_eyes_look_to_their_own_side():
    left = act(eyeLookOutLeft=1.0, eyeLookInRight=1.0).gaze
    assert left[0, 0] > 0.05 and left[0, 2] > 0.05  # the person's left is on the right of the picture
    assert act(eyeLookUpLeft=1.0).gaze[0, 3] < -0.05 and act(eyeLookUpLeft=1.0).gaze[0, 1] > -0.01


@pytest.mark.parametrize(("side", "closed", "other"), [("Right", 0, 1), ("Left", 1, 0)])
def test_a_blink_closes_the_named_eye_by_its_share(side, closed, other):
    rest = eye_openings(show(REST))
    for share in (0.5, 1.0):
        blink = eye_openings(show(act(**{f"eyeBlink{side}": share})))
        assert blink[closed] == pytest.approx((1 - share) * rest[closed], abs=0.1 * rest[closed])
        assert blink[other] == pytest.approx(rest[other], rel=0.1)
    assert eye_openings(show(act(**{f"eyeWide{side}": 1.0})))[closed] > 1.2 * rest[closed]
    over = eye_openings(show(act(**{f"eyeBlink{side}": 1.5})))
    assert over == pytest.approx(eye_openings(show(act(**{f"eyeBlink{side}": 1.0}))))


def test_controls_are_combinations_of_blendshapes():
    combined = combine_controls(FaceControls(smile=0.5, mouth_open=-1, blink_left=-0.5, blendshapes={"jawOpen": 0.25}))
    expected = {"jawOpen": -0.75, "mouthSmileLeft": 0.5, "mouthSmileRight": 0.5, "eyeWideLeft": 0.5}
    assert combined == pytest.approx(expected)
    assert combine_controls(FaceControls(yaw=10)) == {}
    names = {name for both in COMBINATIONS.values() for side in both for name in side}
    assert names <= set(BLENDSHAPES)
    assert set(COMBINATIONS) == {f.name for f in fields(FaceControls)} - {"yaw", "pitch", "roll", "blendshapes"}


def test_a_control_does_what_its_blendshapes_do():
    by_name = change_attributes(MAPPED, REST, MODEL.mean[None], FaceControls(smile=1, gaze_left=1, yaw=20))
    by_blendshapes = act(mouthSmileLeft=1, mouthSmileRight=1, eyeLookOutLeft=1, eyeLookInRight=1)
    torch.testing.assert_close(by_name.expression, by_blendshapes.expression)
    torch.testing.assert_close(by_name.gaze, by_blendshapes.gaze)
    assert by_name.head.norm() > 0.3


def test_blendshapes_need_a_model_that_knows_them():
    with pytest.raises(WeightsError, match="editing by blendshapes needs a face model that knows blendshapes"):
        change(blendshapes={"jawOpen": 1.0})
