from dataclasses import replace
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
import torch

from fadm.attributes.capture_motion import capture_to_motion
from fadm.attributes.coefficients import build_faces, see_blendshapes
from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.face_capture import FaceCapture
from fadm.attributes.landmark_model import LandmarkModel, fit_face, load_landmark_model, pose_landmarks
from fadm.blendshapes import BLENDSHAPES
from fadm.coarse.geometric.expressions import LARGEST, build_solver
from fadm.coarse.geometric.transfer import MotionTransfer
from fadm.face import topology
from fadm.metrics.following import correlation, gain
from fadm.options import Gains
from tests.attributes.made_up import make_attributes, make_identity, make_landmarks
from tests.face.portraits import eye_openings

MODEL = load_landmark_model()
STILL = replace(make_attributes(1), expression=torch.zeros(1, 50), pose=torch.zeros(1, 6), gaze=torch.zeros(1, 4))
PEOPLE = [make_identity(MODEL, seed=seed) for seed in (5, 6, 7)]


def express(**coefficients: float) -> FaceAttributes:
    """A face (1) that moves by the learned map as coefficients say."""
    change = torch.zeros(1, len(BLENDSHAPES))
    for name, value in coefficients.items():
        change[0, BLENDSHAPES.index(name)] = value
    moved = MODEL.blendshape_map.to_change(change)
    return replace(STILL, expression=moved.expression, pose=torch.cat([STILL.head, moved.jaw], 1), gaze=moved.gaze)


def transfer(driver: torch.Tensor, source: torch.Tensor, seen: torch.Tensor, rest: torch.Tensor, face: FaceAttributes):
    """Landmarks (1, 478, 3) of a person at rest who follows another one; placed as frames of one clip are."""
    fitted = fit_face(MODEL, make_landmarks(MODEL, STILL, source)[0])
    moved = MotionTransfer(MODEL, fitted, build_solver(MODEL, fitted), Gains(), driver, reach=None)
    return moved.move(face, STILL, seen, rest)[0], fitted


def opening_shares(moved: torch.Tensor, rest: torch.Tensor) -> list[float]:
    """Openings of the right and the left eye, of those at rest; both faces (478, 3) look ahead."""
    return [after / before for after, before in zip(eye_openings(moved), eye_openings(rest), strict=True)]


@pytest.mark.parametrize(
    "names", [("mouthUpperUpLeft", "mouthUpperUpRight"), ("mouthSmileLeft", "mouthSmileRight"), ("mouthPucker",)]
)
def test_people_of_other_proportions_show_what_the_driver_shows(names):
    columns = [BLENDSHAPES.index(name) for name in names]
    driven, shown = [], []
    for driver, source in permutations(PEOPLE, 2):
        rest = see_blendshapes(build_faces(STILL, driver, MODEL))
        for value in (0.2, 0.4, 0.6):
            face = express(**dict.fromkeys(names, value))
            seen = see_blendshapes(build_faces(face, driver, MODEL))
            landmarks, fitted = transfer(driver, source, seen, rest, face)
            driven.append((seen - rest)[0, columns])
            shown.append((see_blendshapes(landmarks) - see_blendshapes(fitted.landmarks))[0, columns])
    x, y = torch.stack(driven), torch.stack(shown)
    xx, xy, yy = (x * x).sum(), (x * y).sum(), (y * y).sum()
    assert 0.75 < gain(xx, xy) < 1.2 and correlation(xx, xy, yy) > 0.9


def test_an_open_mouth_gapes_no_wider_than_the_drivers():
    column = BLENDSHAPES.index("jawOpen")
    opened, closed = express(jawOpen=0.6), STILL
    source = fit_face(MODEL, build_faces(opened, PEOPLE[1], MODEL)[0])
    own = see_blendshapes(source.landmarks)[0, column]
    moved = MotionTransfer(MODEL, source, build_solver(MODEL, source), Gains(), PEOPLE[0], reach=None)
    seen, rest = (see_blendshapes(build_faces(face, PEOPLE[0], MODEL)) for face in (opened, closed))
    found = see_blendshapes(moved.move(opened, closed, seen, rest)[0])[0, column]
    assert max(own, seen[0, column]) - 0.05 < found < max(own, seen[0, column]) + 0.2


def wink(face: torch.Tensor, eye: int) -> torch.Tensor:
    """A face whose right or left eye is as good as closed."""
    upper, lower, _ = topology.EYES[eye]
    inner, opposite = list(upper[1:-1]), list(lower[1:-1])
    face = face.clone()
    face[:, inner] = face[:, opposite] + 0.15 * (face[:, inner] - face[:, opposite])
    return face


@pytest.mark.parametrize("eye", [0, 1])
@pytest.mark.parametrize("source", [1, 2])
def test_a_wink_closes_one_eye(eye, source):
    driver = build_faces(STILL, PEOPLE[0], MODEL)
    winking = wink(driver, eye)
    attributes = MODEL.fit(winking, PEOPLE[0])[0]
    landmarks, fitted = transfer(
        PEOPLE[0], PEOPLE[source], see_blendshapes(winking), see_blendshapes(driver), attributes
    )
    shares = opening_shares(landmarks[0], fitted.landmarks[0])
    assert abs(shares[eye]) < 0.02 and 0.8 < shares[1 - eye] < 1.1


@pytest.mark.parametrize("eye", [0, 1])
def test_a_take_winks(eye):
    name = ("eyeBlinkRight", "eyeBlinkLeft")[eye]
    blendshapes = np.zeros((2, len(BLENDSHAPES)), np.float32)
    blendshapes[1, BLENDSHAPES.index(name)] = 1
    angles, is_tracked = (np.zeros((2, size), np.float32) for size in (3, 4)), np.ones(2, bool)
    take = FaceCapture(blendshapes, *angles, is_tracked, np.arange(2), Fraction(1, 30))
    motion = capture_to_motion(take, MODEL)
    fitted = fit_face(MODEL, make_landmarks(MODEL, STILL, PEOPLE[1])[0])
    moved = MotionTransfer(MODEL, fitted, build_solver(MODEL, fitted), Gains(), motion.identity, reach=60.0)
    faces = motion.attributes[[1]], motion.attributes[[0]], motion.blendshapes[[1]], motion.blendshapes[[0]]
    shares = opening_shares(moved.move(*faces)[0][0], fitted.landmarks[0])
    assert abs(shares[eye]) < 0.02 and 0.8 < shares[1 - eye] < 1.1


def test_a_face_that_shows_what_is_wanted_stays():
    fitted = fit_face(MODEL, make_landmarks(MODEL, STILL, PEOPLE[0])[0])
    solver = build_solver(MODEL, fitted)
    correction = solver.correct(fitted.canonical, fitted.attributes, solver.rest)
    assert correction.abs().max() < 1e-3


def test_what_no_face_can_show_is_not_forced():
    fitted = fit_face(MODEL, make_landmarks(MODEL, STILL, PEOPLE[0])[0])
    solver = build_solver(MODEL, fitted)
    correction = solver.correct(fitted.canonical, fitted.attributes, torch.ones(1, len(BLENDSHAPES)))
    assert correction.isfinite().all()
    assert (correction.abs() <= LARGEST * solver.directions.abs().sum(0) + 1e-5).all()


def test_a_model_without_a_map_corrects_along_its_own_basis():
    tensors = {name: tensor for name, tensor in MODEL.state_dict().items() if not name.startswith("map_")}
    plain = LandmarkModel(replace(MODEL.config, has_blendshapes=False), tensors)
    fitted = fit_face(plain, make_landmarks(plain, STILL, PEOPLE[0])[0])
    solver = build_solver(plain, fitted)
    wanted = solver.rest.clone()
    column = BLENDSHAPES.index("mouthSmileLeft")
    wanted[0, column] = 0.6
    shape = fitted.canonical + solver.correct(fitted.canonical, fitted.attributes, wanted)
    found = see_blendshapes(pose_landmarks(shape, fitted.attributes))[0, column]
    assert found > solver.rest[0, column] + 0.5 * (0.6 - solver.rest[0, column])
