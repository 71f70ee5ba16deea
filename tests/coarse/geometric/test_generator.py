from dataclasses import replace

import numpy as np
import pytest
import torch

from fadm.attributes.coefficients import build_faces, see_blendshapes
from fadm.attributes.directions import change_attributes
from fadm.attributes.landmark_model import FittedFace, fit_face, load_landmark_model
from fadm.coarse.geometric.expressions import build_solver
from fadm.coarse.geometric.generator import (
    CoarseFrame,
    GeometricSource,
    drive_source,
    measure_confidence,
    prepare_source,
)
from fadm.coarse.geometric.transfer import MotionTransfer
from fadm.controls import FaceControls
from fadm.face.topology import EYES, INNER_LOWER_LIP, INNER_UPPER_LIP, IRIS_LEFT, IRIS_RIGHT
from fadm.media.crop import Square, to_pixels, to_tensor
from fadm.options import Gains
from tests.face.portraits import SIDE, eye_openings, read_portrait, track_picture

MODEL = load_landmark_model()
REGION = Square(0, 0, SIDE)
IRISES = [IRIS_RIGHT[0], IRIS_LEFT[0]]


@pytest.fixture(scope="module")
def source() -> GeometricSource:
    portrait = read_portrait()
    return prepare_source(to_tensor(portrait.pixels), portrait.landmarks, portrait.person, REGION, REGION, SIDE)


@pytest.fixture(scope="module")
def face() -> FittedFace:
    return fit_face(MODEL, torch.from_numpy(read_portrait().landmarks))


def act(source: GeometricSource, face: FittedFace, **controls: float) -> tuple[np.ndarray, CoarseFrame]:
    """The landmarks (478, 3) asked for by controls, and the frame."""
    changed = change_attributes(MODEL, face.attributes, face.canonical, FaceControls(**controls))
    return drive(source, face, changed)


def drive(source: GeometricSource, face: FittedFace, attributes) -> tuple[np.ndarray, CoarseFrame]:
    transfer = MotionTransfer(MODEL, face, build_solver(MODEL, face), Gains(), face.identity, source.mesh.reach)
    wanted, own = (see_blendshapes(build_faces(a, face.identity, MODEL)) for a in (attributes, face.attributes))
    landmarks, carried = transfer.move(attributes, face.attributes, wanted, own)
    return landmarks[0].numpy(), drive_source(source, landmarks[0], carried[0])


def track_again(coarse: CoarseFrame) -> np.ndarray:
    (landmarks,) = track_picture(to_pixels(coarse.frame))
    return landmarks


def box_of(landmarks: np.ndarray, points: list[int], margin: int) -> tuple[slice, slice]:
    """Rows and columns around some landmarks."""
    (left, top), (right, bottom) = landmarks[points, :2].min(0), landmarks[points, :2].max(0)
    return slice(int(top) - margin, int(bottom) + margin + 2), slice(int(left) - margin, int(right) + margin + 2)


def test_shapes(source):
    coarse = drive_source(source, torch.from_numpy(source.landmarks), torch.from_numpy(source.landmarks))
    assert coarse.frame.shape == (1, 3, SIDE, SIDE)
    assert coarse.flow.shape == (1, SIDE, SIDE, 2)
    assert coarse.confidence.shape == (1, 1, SIDE, SIDE)
    assert coarse.confidence.min() >= 0 and coarse.confidence.max() <= 1


def test_no_motion_returns_the_source_exactly_outside_of_the_mouth(source, face):
    _, coarse = act(source, face)
    error = (coarse.frame - source.picture).abs().amax(1)[0]
    error[box_of(source.landmarks, list(INNER_UPPER_LIP + INNER_LOWER_LIP), 2)] = 0
    assert error.max() < 1 / 255


@pytest.mark.parametrize(("x", "y", "size"), [(12, 0, 1), (-9, 6, 1), (0, -8, 1.05)])
def test_a_moved_head_is_found_where_it_was_sent(source, face, x, y, size):
    own = face.attributes
    camera = own.camera * torch.tensor([size, 1, 1]) + torch.tensor([[0.0, x, y]])
    asked, coarse = drive(source, face, replace(own, camera=camera))
    distance = np.linalg.norm((track_again(coarse) - asked)[:, :2], axis=1)
    assert distance.mean() < 1 and distance.max() < 2
    assert (coarse.frame - source.picture)[..., [0, -1], :].abs().max() < 1 / 255  # the border of the region stays
    assert (coarse.frame - source.picture)[..., [0, -1]].abs().max() < 1 / 255


@pytest.mark.parametrize("controls", [{"yaw": 15}, {"pitch": -10}, {"roll": 15}, {"mouth_open": 0.7}, {"smile": -0.7}])
def test_a_new_pose_or_expression_is_found_as_asked(source, face, controls):
    asked, coarse = act(source, face, **controls)
    distance = np.linalg.norm((track_again(coarse) - asked)[:, :2], axis=1)
    assert distance.mean() < 1.5
    still = np.linalg.norm((asked - source.landmarks)[:, :2], axis=1)
    assert distance.mean() < 0.7 * still.mean()


def test_closed_eyes_are_seen_closed(source, face):
    before = eye_openings(source.landmarks)
    after = eye_openings(track_again(act(source, face, blink_left=1, blink_right=1)[1]))
    assert all(a < 0.75 * b for a, b in zip(after, before, strict=True))


@pytest.mark.parametrize("gaze", [1, -1])
def test_gaze_moves_both_irises(source, face, gaze):
    moved = track_again(act(source, face, gaze_left=gaze)[1])[IRISES, 0] - source.landmarks[IRISES, 0]
    assert (gaze * moved > 1).all()


def test_an_opened_mouth_is_not_trusted(source, face):
    asked, coarse = act(source, face, mouth_open=1)
    x, y = asked[[INNER_UPPER_LIP[5], INNER_LOWER_LIP[5]], :2].mean(0).round().astype(int)
    assert coarse.confidence[0, 0, y, x] < 0.2
    assert coarse.confidence.median() > 0.9


def test_the_side_of_a_turned_head_is_not_trusted(source, face):
    _, coarse = act(source, face, yaw=25)
    skin = coarse.confidence.clone()
    skin[(0, 0, *box_of(source.landmarks, list(INNER_UPPER_LIP + INNER_LOWER_LIP), 12))] = 1
    assert skin.min() < 0.5


def test_eyes_stay_behind_their_lids(source, face):
    """The white and the iris are carried by the skull: lids that close do not squeeze the iris."""
    _, half = act(source, face, blink_left=0.4, blink_right=0.4)
    flow = half.flow[0]
    for upper, lower, iris in EYES:
        x, y = source.landmarks[iris[0], :2].round().astype(int)
        lid = (source.landmarks[upper[4], 1] + source.landmarks[lower[4], 1]) / 2
        row = int(max(y, lid))
        assert np.linalg.norm(flow[row, x] - torch.tensor([x, row])) < 1.5


def test_a_view_of_another_size_shows_the_same(source):
    portrait = read_portrait()
    picture = to_tensor(portrait.pixels)
    view = Square(48, 56, 160)
    crop = prepare_source(picture, portrait.landmarks, portrait.person, REGION, view, 160)
    landmarks = torch.from_numpy(source.landmarks) + torch.tensor([6.0, -4, 0])
    whole, part = (drive_source(s, landmarks, landmarks).frame for s in (source, crop))
    difference = (part - whole[..., 56:216, 48:208]).abs()
    assert difference.mean() < 0.01


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ([[1, 0], [0, 1]], 1.0),
        ([[0.8, -0.6], [0.6, 0.8]], 1.0),  # turned
        ([[2, 0], [0, 2]], 1.0),  # shrunk in the result: nothing is missing
        ([[1 / 2, 0], [0, 1]], (1 / 2 - 1 / 3) / (0.8 - 1 / 3)),  # magnified twice along x
        ([[1 / 3, 0], [0, 1]], 0.0),
        ([[-1, 0], [0, 1]], 0.0),  # folded
    ],
)
def test_confidence_of_a_linear_flow(matrix, expected):
    cell = 2.0
    place = cell * np.stack(np.meshgrid(np.arange(6.0), np.arange(6.0)), -1)
    displacement = place @ np.array(matrix, float).T - place
    np.testing.assert_allclose(measure_confidence(displacement, cell), np.full((6, 6), expected), atol=1e-5)


def test_source_landmarks_come_with_irises(source):
    few = torch.from_numpy(source.landmarks[:400])
    with pytest.raises(RuntimeError, match=r"shapes cannot be multiplied|size mismatch"):
        drive_source(source, few, few)


def test_alpha_is_warped_as_the_colours_are():
    """An alpha that equals a colour stays equal to it, and no colour changes by it."""
    portrait = read_portrait()
    picture = to_tensor(portrait.pixels)
    masked = torch.cat([picture, picture[:, :1]], 1)
    plain, clear = (
        prepare_source(p, portrait.landmarks, portrait.person, REGION, REGION, SIDE) for p in (picture, masked)
    )
    assert clear.hidden is None  # whose light would differ
    moved = torch.from_numpy(portrait.landmarks) + torch.tensor([6.0, 3.0, 0.0])
    frames = [drive_source(source, moved, moved) for source in (plain, clear)]
    assert frames[0].alpha is None
    torch.testing.assert_close(frames[0].frame, frames[1].frame, rtol=0, atol=1e-6)
    torch.testing.assert_close(frames[1].alpha, frames[1].frame[:, :1], rtol=0, atol=1e-6)
