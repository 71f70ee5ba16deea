from dataclasses import replace
from itertools import permutations

import pytest
import torch

from fadm.attributes.coefficients import build_faces, see_blendshapes
from fadm.attributes.face_attributes import FaceAttributes
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


@pytest.mark.parametrize("eye", [0, 1])
def test_a_wink_closes_one_eye(eye):
    """The attributes of a face hold hardly any winks; the coefficients do."""
    driver = build_faces(STILL, PEOPLE[0], MODEL)
    winking = driver.clone()
    upper, lower, _ = topology.EYES[eye]
    lids = list(upper[1:-1]), list(lower[1:-1])
    winking[:, lids[0]] = winking[:, lids[1]] + 0.15 * (winking[:, lids[0]] - winking[:, lids[1]])
    attributes = MODEL.fit(winking, PEOPLE[0])[0]
    landmarks, fitted = transfer(PEOPLE[0], PEOPLE[1], see_blendshapes(winking), see_blendshapes(driver), attributes)
    shares = [moved / own for moved, own in zip(*map(eye_openings, (landmarks[0], fitted.landmarks[0])), strict=True)]
    assert shares[eye] < 0.6 and shares[1 - eye] > 0.85


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
