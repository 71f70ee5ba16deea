import torch

from fadm.attributes.coefficients import build_faces
from fadm.attributes.landmark_model import load_landmark_model
from fadm.attributes.lids import LOWER, UPPER, measure_openings, widen_eyes
from tests.attributes.made_up import make_attributes, make_identity

MODEL = load_landmark_model()
NEUTRAL = MODEL.shape(make_identity(MODEL))


def test_openings_are_heights_between_the_lids():
    faces = torch.zeros(2, 478, 3)
    faces[:, UPPER[0], 1], faces[:, LOWER[0], 1] = -0.05, 0.02
    faces[1, UPPER[1], 1] = -0.1
    torch.testing.assert_close(measure_openings(faces), torch.tensor([[0.07, 0], [0.07, 0.1]]))


def test_eyes_get_the_openings_asked_for():
    change = torch.tensor([[0.03, -0.02]])
    widened = widen_eyes(NEUTRAL, NEUTRAL, change)
    torch.testing.assert_close(measure_openings(widened), measure_openings(NEUTRAL) + change)
    moved = (widened != NEUTRAL).any(-1)[0].nonzero()[:, 0].tolist()
    assert set(moved) == {*UPPER[0], *UPPER[1]}


def test_the_fit_finds_what_the_expression_does_not_hold():
    identity = make_identity(MODEL)
    attributes = make_attributes(3, expression=0.3)
    attributes.lids[1] = torch.tensor([-0.05, 0.0])
    found = MODEL.fit(build_faces(attributes, identity, MODEL), identity)[0]
    seen = measure_openings(MODEL.displacement(found.expression, found.jaw)) + found.lids
    true = measure_openings(MODEL.displacement(attributes.expression, attributes.jaw)) + attributes.lids
    torch.testing.assert_close(seen, true, atol=0.004, rtol=0)
    assert found.lids[1, 0] < -0.02
