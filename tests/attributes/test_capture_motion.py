from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from fadm.attributes.capture_motion import angles_to_head, capture_to_motion, head_to_angles, motion_to_capture
from fadm.attributes.face_capture import FaceCapture
from fadm.attributes.landmark_model import load_landmark_model, pose_landmarks
from fadm.attributes.motion_files import load_motion, save_motion
from fadm.blendshapes import BLENDSHAPES
from fadm.errors import WeightsError
from fadm.face import topology
from tests.attributes.made_up import make_mapped_model, without_map
from tests.attributes.test_motion import make_motion
from tests.face.portraits import eye_openings

MODEL = load_landmark_model()
UNMAPPED = without_map(MODEL)
MAPPED = make_mapped_model(MODEL)


def make_take(*frames: dict[str, float], head: tuple[float, float, float] = (0, 0, 0)) -> FaceCapture:
    """Frames by the names of the coefficients, 30 a second."""
    blendshapes = np.zeros((len(frames), 52), np.float32)
    for row, frame in zip(blendshapes, frames, strict=True):
        for name, value in frame.items():
            row[BLENDSHAPES.index(name)] = value
    angles = np.tile(np.float32(head), (len(frames), 1))
    eyes, is_tracked = np.zeros((len(frames), 6), np.float32), np.ones(len(frames), bool)
    return FaceCapture(blendshapes, angles, eyes, is_tracked, np.arange(len(frames)) * 2000, Fraction(1, 60000))


def show(take: FaceCapture) -> torch.Tensor:
    """Landmarks (T, 478, 3) of the mean face in pixels, 100 to a model unit."""
    attributes = capture_to_motion(take, MAPPED).attributes
    shape = MODEL.mean + MODEL.displacement(attributes.expression, attributes.jaw)
    return pose_landmarks(shape, attributes)


def test_a_take_becomes_a_motion():
    take = make_take({}, {"jawOpen": 1}, {"jawOpen": 0.5})
    motion = capture_to_motion(take, MAPPED)
    assert motion.rate == 30 and motion.time_base * int(motion.pts[1]) == Fraction(1, 30)
    assert motion.identity.shape == (1, 40) and motion.shot.tolist() == [0, 0, 0]
    torch.testing.assert_close(motion.blendshapes, torch.from_numpy(take.blendshapes))
    rest, wide, half = motion.attributes.jaw[:, 0].tolist()
    assert wide - rest == pytest.approx(0.22, abs=0.02) and half - rest == pytest.approx(0.11, abs=0.01)


def test_the_mouth_opens_and_the_named_eye_closes():
    rest, mouth, blink = show(make_take({}, {"jawOpen": 1}, {"eyeBlinkLeft": 1}))
    assert mouth[topology.CHIN, 1] - rest[topology.CHIN, 1] > 5
    (right_before, left_before), (right, left) = eye_openings(rest), eye_openings(blink)
    assert left < 0.2 * left_before and right == pytest.approx(right_before, rel=0.15)


def test_the_eyes_look_to_the_persons_left():
    motion = capture_to_motion(make_take({}, {"eyeLookOutLeft": 1, "eyeLookInRight": 1}), MAPPED)
    change = motion.attributes.gaze[1] - motion.attributes.gaze[0]
    assert change[0] > 0.05 and change[2] > 0.05 and change[[1, 3]].abs().max() < 0.01


@pytest.mark.parametrize(
    ("head", "landmark", "axis", "sign"),
    [
        ((0.3, 0, 0), topology.NOSE_TIP, 0, -1),  # to the person's right, which is the picture's left
        ((0, 0.3, 0), topology.NOSE_TIP, 1, -1),
        ((0, 0, 0.3), topology.FOREHEAD_TOP, 0, -1),
    ],
)
def test_positive_angles_turn_to_the_right_up_and_to_the_right(head, landmark, axis, sign):
    still, turned = show(make_take({}))[0], show(make_take({}, head=head))[0]
    assert sign * (turned - still)[landmark, axis] > 5


def test_angles_come_back_and_apply_roll_then_pitch_then_yaw():
    angles = torch.tensor([[0.4, -0.3, 0.2], [-1.2, 0.5, -0.4], [0, 0, 0]])
    torch.testing.assert_close(head_to_angles(angles_to_head(angles)), angles, atol=1e-5, rtol=0)
    alone = angles_to_head(torch.tensor([[0.4, 0, 0]]))
    torch.testing.assert_close(alone, torch.tensor([[0, 0.4, 0]]))


def test_the_rate_leaves_gaps_out():
    take = make_take(*[{}] * 6)
    pts = np.array([0, 2000, 4000, 6000, 20000, 22000])
    assert capture_to_motion(replace(take, pts=pts), MAPPED).rate == 30
    slow = replace(take, pts=(np.arange(6) * 1001 * 2500 / 1000).round().astype(np.int64))
    assert float(capture_to_motion(slow, MAPPED).rate) == pytest.approx(24000 / 1001, abs=0.01)


@pytest.mark.parametrize("with_blendshapes", [True, False])
def test_a_motion_is_written_as_a_take_and_read_again(tmp_path, with_blendshapes):
    motion = make_motion([True, False, True, True])
    blendshapes = torch.rand(4, 52, generator=torch.Generator().manual_seed(0))
    if with_blendshapes:
        motion = replace(motion, blendshapes=blendshapes)
    else:
        blendshapes = MAPPED.blendshape_map.to_coefficients(motion.attributes)
    save_motion(motion, tmp_path / "take.CSV", MAPPED)
    read = load_motion(tmp_path / "take.CSV", MAPPED)
    assert read.is_tracked.tolist() == [True, False, True, True] and read.rate == 25
    seen = motion.is_tracked
    torch.testing.assert_close(read.blendshapes[seen], blendshapes[seen], atol=1e-5, rtol=0)
    torch.testing.assert_close(read.attributes.head[seen], motion.attributes.head[seen], atol=1e-4, rtol=0)
    assert [float(pts * read.time_base) for pts in read.pts.tolist()] == pytest.approx([0, 0.04, 0.08, 0.12], abs=1e-5)


def test_the_eyes_turn_as_the_irises_are_shifted():
    motion = make_motion([True])
    motion.attributes.gaze[0] = torch.tensor([0.065, 0.0, 0.0, 0.065])  # the right eye to its left, the left eye down
    left, right = motion_to_capture(motion, MAPPED).eyes[0].reshape(2, 3)
    np.testing.assert_allclose(left, [0, -np.pi / 6, 0], atol=1e-4)
    np.testing.assert_allclose(right, [-np.pi / 6, 0, 0], atol=1e-4)


def test_a_face_model_without_the_map_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="a face-capture take needs a face model that knows blendshapes; learn one"):
        capture_to_motion(make_take({}), UNMAPPED)
    with pytest.raises(WeightsError, match="a motion without blendshapes needs a face model"):
        save_motion(make_motion([True]), tmp_path / "take.csv", UNMAPPED)
    assert list(tmp_path.iterdir()) == []
