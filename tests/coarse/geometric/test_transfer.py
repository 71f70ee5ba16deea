from dataclasses import replace

import pytest
import torch

from fadm.attributes.coefficients import build_faces, see_blendshapes
from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import FittedFace, fit_face, load_landmark_model
from fadm.attributes.rotation import axis_angle_to_matrix
from fadm.coarse.geometric.expressions import build_solver
from fadm.coarse.geometric.transfer import (
    CLOSED,
    LARGEST_SHIFT,
    SIZE_RANGE,
    WIDEST,
    MotionTransfer,
    _seen_gaze,
    region_shares,
)
from fadm.face import topology
from fadm.options import Gains
from tests.attributes.made_up import degrees_between, make_attributes, make_identity, make_landmarks
from tests.face.portraits import eye_openings

MODEL = load_landmark_model()
REACH = 60.0
DRIVER = make_identity(MODEL, seed=2)
NO_MOTION = Gains(rotation_gain=0, translation_gain=0, mouth_gain=0, eyes_gain=0, brows_gain=0, gaze_gain=0)


def make_source() -> FittedFace:
    landmarks = make_landmarks(MODEL, make_attributes(1, seed=3, expression=0.3), make_identity(MODEL, seed=3))
    return fit_face(MODEL, landmarks[0])


SOURCE = make_source()
SOLVER = build_solver(MODEL, SOURCE)


def make_driver(num_frames: int) -> FaceAttributes:
    return make_attributes(num_frames, seed=4, expression=0.5)


def make_transfer(gains: Gains | None = None) -> MotionTransfer:
    return MotionTransfer(MODEL, SOURCE, SOLVER, gains or Gains(), DRIVER, REACH)


def follow(
    driving: FaceAttributes, anchor: FaceAttributes | None, gains: Gains | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the source does after the synthetic driver."""
    seen, rest = (None if a is None else see_blendshapes(build_faces(a, DRIVER, MODEL)) for a in (driving, anchor))
    return make_transfer(gains).move(driving, anchor, seen, rest)


def scale_openings(face: torch.Tensor, share: float) -> torch.Tensor:
    """A face (1, 478, 3) whose upper lids are moved to a share of its openings."""
    face = face.clone()
    for upper, lower, _ in topology.EYES:
        inner, opposite = list(upper[1:-1]), list(lower[1:-1])
        face[:, inner] = face[:, opposite] + share * (face[:, inner] - face[:, opposite])
    return face


def move_head(**changes: torch.Tensor) -> torch.Tensor:
    """Landmarks (478, 3) of the source after a driver whose attributes differ from its anchor's by `changes`."""
    anchor = make_driver(1)
    landmarks, carried = follow(replace(anchor, **changes), anchor)
    torch.testing.assert_close(landmarks[..., :468, :], carried[..., :468, :], atol=1e-2, rtol=0)  # head's motion alone
    return landmarks[0]


def test_shapes():
    landmarks, carried = follow(make_driver(3), make_driver(1))
    assert landmarks.shape == carried.shape == (3, 478, 3)
    assert landmarks.isfinite().all()


def test_a_driver_in_its_anchor_shows_the_source_itself():
    anchor = make_driver(1)
    for landmarks in follow(anchor, anchor):
        torch.testing.assert_close(landmarks[..., :2], SOURCE.landmarks[..., :2], atol=1e-2, rtol=0)


@pytest.mark.parametrize("anchor", [None, make_driver(1)], ids=["absolute", "relative"])
def test_gains_of_zero_mean_no_motion(anchor):
    for landmarks in follow(make_driver(5), anchor, NO_MOTION):
        expected = SOURCE.landmarks[..., :2].expand(5, -1, -1)
        torch.testing.assert_close(landmarks[..., :2], expected, atol=1e-2, rtol=0)


def test_relative_motion_turns_the_head_in_its_own_frame():
    anchor, driving = make_driver(1), make_driver(4)
    carried = follow(driving, anchor)[1]
    found, _ = MODEL.fit(carried, SOURCE.identity)
    own, before, now = (axis_angle_to_matrix(face.head) for face in (SOURCE.attributes, anchor, driving))
    expected = own @ before.transpose(1, 2) @ now
    angle = torch.arccos(((axis_angle_to_matrix(found.head) * expected).sum((1, 2)) - 1).div(2).clamp(-1, 1)).rad2deg()
    assert angle.max() < 0.5


def test_absolute_motion_takes_the_drivers_pose_and_keeps_the_sources_place():
    driving = make_driver(4)
    found, _ = MODEL.fit(follow(driving, None)[1], SOURCE.identity)
    assert degrees_between(found.head, driving.head).max() < 0.5
    torch.testing.assert_close(found.camera, SOURCE.attributes.camera.expand(4, -1), atol=0.5, rtol=0)


def test_a_shift_is_passed_on_in_units_of_the_face():
    camera = make_driver(1).camera
    moved = move_head(camera=camera + torch.tensor([[0.0, 6, -3]]))
    expected = torch.tensor([6.0, -3]) * SOURCE.attributes.camera[0, 0] / camera[0, 0]
    torch.testing.assert_close(moved[:, :2] - SOURCE.landmarks[0, :, :2], expected.expand(478, 2), atol=1e-2, rtol=0)


def test_a_far_shift_stays_within_reach():
    camera = make_driver(1).camera
    for x in (50.0, 100.0, 1e4):
        moved = move_head(camera=camera + torch.tensor([[0.0, x, 0]]))
        shift = float((moved - SOURCE.landmarks[0])[:, 0].mean())
        assert LARGEST_SHIFT * REACH / 2 < shift <= LARGEST_SHIFT * REACH + 1e-3


@pytest.mark.parametrize(("factor", "expected"), [(1.1, 1.1), (3.0, SIZE_RANGE[1]), (0.1, SIZE_RANGE[0])])
def test_the_head_grows_and_shrinks_within_a_range(factor, expected):
    moved = move_head(camera=make_driver(1).camera * torch.tensor([factor, 1, 1]))
    height = [float(face[:468, 1].max() - face[:468, 1].min()) for face in (moved, SOURCE.landmarks[0])]
    assert height[0] / height[1] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("gain", "driver", "share"), [(0, 0.6, 1), (1, 0.6, 0.6), (0.5, 0.6, 0.8), (1, CLOSED, 0), (1, 0.1, 0)]
)
def test_eyes_open_by_the_drivers_share(gain, driver, share):
    """The driver closes its eyes to a share of what they are at rest; tracked lids of closed eyes do not quite meet."""
    transfer = make_transfer()
    own = SOURCE.canonical
    moved = transfer._open_lids(own, driver * transfer.usual, transfer.usual, gain)
    for found, expected in zip(eye_openings(moved[0].numpy()), eye_openings(own[0].numpy()), strict=True):
        assert found == pytest.approx(share * expected, rel=0.02, abs=1e-5)


def test_eyes_open_no_wider_than_eyes_do():
    transfer = make_transfer()
    moved = transfer._open_lids(SOURCE.canonical, 3 * transfer.usual, transfer.usual, 1.0)
    openings = (eye_openings(face[0].numpy()) for face in (moved, transfer.source_neutral))
    for found, usual in zip(*openings, strict=True):
        assert found < 1.1 * WIDEST * usual


def test_lids_that_crossed_leave_no_slit():
    """The driver's expression alone would push the source's lids through each other."""
    transfer = make_transfer()
    crossed = scale_openings(SOURCE.canonical, -0.3)
    moved = transfer._open_lids(crossed, 0.1 * transfer.usual, transfer.usual, 1.0)
    assert max(map(abs, eye_openings(moved[0].numpy()))) < 1e-5


def test_a_driver_with_larger_eyes_moves_the_irises_as_far_in_their_eyes():
    transfer = make_transfer()
    widths = [
        torch.stack([(face[0, upper[0]] - face[0, upper[-1]]).norm() for upper, _, _ in topology.EYES])
        for face in (transfer.source_neutral, transfer.driver_neutral)
    ]
    torch.testing.assert_close(transfer.eye_scale[0, ::2], widths[0] / widths[1])


def test_a_source_with_closed_eyes_keeps_a_face():
    """Its own lids have no height by which another opening could be scaled."""
    closed = SOURCE.canonical.clone()
    for upper, lower, _ in topology.EYES:
        closed[:, list(upper[1:-1])] = closed[:, list(lower[1:-1])]
    source = replace(SOURCE, canonical=closed)
    driving = make_driver(6)
    seen = see_blendshapes(build_faces(driving, SOURCE.identity, MODEL))
    transfer = MotionTransfer(MODEL, source, build_solver(MODEL, source), Gains(), SOURCE.identity, REACH)
    moved, still = transfer.move(driving, driving[:1], seen, seen[:1])
    assert (moved - still).norm(dim=-1).max() < 0.5 * SOURCE.attributes.camera[0, 0]
    for upper, lower, _ in topology.EYES:
        assert (moved[:, list(lower), 1] - moved[:, list(upper), 1]).abs().max() < 0.1 * SOURCE.attributes.camera[0, 0]


def test_the_gaze_of_closed_eyes_is_not_trusted():
    gaze = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    for share, expected in ((0.1, 0.0), (0.6, 1.0)):
        torch.testing.assert_close(_seen_gaze(gaze, torch.tensor([[share, share]])), expected * gaze)


def test_gaze_moves_the_irises_alone():
    anchor = make_driver(1)
    looking = replace(anchor, gaze=anchor.gaze + torch.tensor([[0.05, 0.0, 0.05, 0.0]]))
    moved = follow(looking, anchor)[0][0] - SOURCE.landmarks[0]
    assert (moved[468:, 0] > 0.03 * SOURCE.attributes.camera[0, 0]).all()
    assert moved[:468, :2].abs().max() < 0.01 * SOURCE.attributes.camera[0, 0]
    still = follow(looking, anchor, Gains(gaze_gain=0))[0][0] - SOURCE.landmarks[0]
    assert still[:, :2].abs().max() < 0.01 * SOURCE.attributes.camera[0, 0]


def test_mouth_gain_scales_the_mouth_and_leaves_the_brows():
    anchor = make_driver(1)
    driving = replace(
        anchor, expression=anchor.expression + 0.3, pose=anchor.pose + torch.tensor([[0, 0, 0, 0.1, 0, 0]])
    )
    once, twice = (follow(driving, anchor, Gains(mouth_gain=gain))[0][0] - SOURCE.landmarks[0] for gain in (1.0, 2.0))
    torch.testing.assert_close(twice[topology.CHIN, :2], 2 * once[topology.CHIN, :2], atol=0.1, rtol=0.05)
    brows = list(topology.BROW_LEFT)
    torch.testing.assert_close(twice[brows, :2], once[brows, :2], atol=0.1, rtol=0)


def test_lips_never_cross():
    closing = torch.tensor([[0.0, 0, 0, -0.3, 0, 0]])
    anchor = make_driver(1)
    driving = replace(anchor, pose=torch.cat([anchor.head, closing[:, 3:]], 1))
    canonical = MODEL.canonical(follow(driving, anchor)[0], SOURCE.identity)[0]
    gap = canonical[list(topology.INNER_LOWER_LIP), 1] - canonical[list(topology.INNER_UPPER_LIP), 1]
    assert gap.min() > -1e-3


def test_mouth_and_brows_share_nothing():
    mouth, brows = region_shares(MODEL.mean)
    assert mouth.shape == brows.shape == (478,)
    assert mouth[list(topology.MOUTH_CORNERS)].min() > 0.9 and mouth[topology.CHIN] > 0.9
    assert brows[list(topology.BROW_LEFT)].min() > 0.5
    assert (mouth * brows).max() < 1e-3


def test_the_anchor_is_one_face():
    with pytest.raises(RuntimeError, match="must match"):
        follow(make_driver(3), make_driver(2))
