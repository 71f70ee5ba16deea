from dataclasses import replace

import pytest
import torch

from fadm.attributes.blendshape_map import (
    Performance,
    join_numbers,
    learn_blendshape_map,
    map_shapes,
    measure_explained_blendshapes,
)
from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import load_landmark_model, save_landmark_model
from fadm.blendshapes import BLENDSHAPES
from fadm.errors import WeightsError
from fadm.face.landmarker import LANDMARK_MODEL
from fadm.weights.store import load_weights, save_weights
from tests.attributes.made_up import make_mapped_model, make_performance, true_slopes

MODEL = load_landmark_model()
PEOPLE = [make_performance(MODEL, 300, seed=seed, part="mouth") for seed in range(3)]
MAPPED = make_mapped_model(MODEL)
NOTHING, EVERYTHING = torch.zeros(57, 57), torch.eye(57)  # what the upper part of a face does
MOUTH = [name.startswith("mouth") for name in BLENDSHAPES]


def to_attributes(performance: Performance) -> FaceAttributes:
    expression, jaw, gaze = performance.numbers.split([50, 3, 4], 1)
    pose, count = torch.cat([torch.zeros_like(jaw), jaw], 1), len(jaw)
    return FaceAttributes(expression, pose, torch.ones(count, 3), gaze, torch.zeros(count, 2))


@pytest.mark.parametrize(("part", "upper"), [("mouth", NOTHING), ("brow", EVERYTHING)])
def test_the_true_movements_are_found_whatever_the_faces_at_rest(part, upper):
    people = [make_performance(MODEL, 300, seed=seed, part=part) for seed in range(3)]
    learned = learn_blendshape_map(people, upper, ridge=1e-8)
    of_part = torch.tensor([name.startswith(part) for name in BLENDSHAPES])
    torch.testing.assert_close(learned.number_slopes[:, of_part], true_slopes(MODEL)[:, of_part], atol=1e-3, rtol=0)
    assert learned.number_slopes[:, ~of_part].abs().max() < 1e-6  # a movement that no one makes moves nothing


def test_brows_and_eyes_move_the_upper_part_alone():
    """The first number is of the upper part, the others of the lower part."""
    upper = torch.diag(torch.tensor([1.0] + [0] * 56))
    slopes = learn_blendshape_map([make_performance(MODEL, 300)], upper).number_slopes
    is_upper = torch.tensor([name.startswith(("brow", "eye", "cheekSquint")) for name in BLENDSHAPES])
    assert slopes[0, ~is_upper].abs().max() == 0 == slopes[1:, is_upper].abs().max()
    assert slopes[0, is_upper].abs().max() > 0.05 < slopes[1:, ~is_upper].abs().max()


def test_the_slopes_are_those_of_ridge_regression():
    """Of inputs X and targets y, n rows: (X'X + n ridge)^-1 X'y."""
    generator = torch.Generator().manual_seed(0)
    blendshapes, numbers = (torch.randn(4000, width, generator=generator) for width in (52, 57))
    blendshapes, numbers = (values - values.mean(0) for values in (blendshapes, numbers))
    learned = learn_blendshape_map([Performance(numbers, blendshapes)], NOTHING, ridge=0.5)
    lower = blendshapes[:, [not name.startswith(("brow", "eye", "cheekSquint")) for name in BLENDSHAPES]]
    gram = lower.T @ lower + 2000 * torch.eye(lower.shape[1])
    expected = torch.linalg.solve(gram, lower.T @ numbers).T
    found = learned.number_slopes[:, learned.number_slopes.abs().sum(0) > 0]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def test_a_movement_that_is_hardly_used_moves_little():
    shy = make_performance(MODEL, 300, part="mouth")
    shy = Performance(shy.numbers, shy.blendshapes * 0.01)
    slopes = learn_blendshape_map([shy], NOTHING).number_slopes
    assert slopes.norm() < 5 * true_slopes(MODEL)[:, MOUTH].norm()  # not a hundred times as far


def test_coefficients_come_back_from_the_faces_that_they_make():
    learned = learn_blendshape_map(PEOPLE, NOTHING, ridge=1e-8)
    person = PEOPLE[0]
    change = to_attributes(person)
    assert torch.equal(join_numbers(change), person.numbers)
    moved = learned.to_expression(person.blendshapes)
    pose = torch.cat([torch.zeros(300, 3), moved.jaw], 1)
    face = FaceAttributes(moved.expression, pose, torch.ones(300, 3), moved.gaze, torch.zeros(300, 2))
    found = learned.to_coefficients(face)
    assert found.min() >= 0 and found.max() <= 1
    back = learned.to_change(found - learned.mean_blendshapes)  # 51 movements make 50 + 7 numbers
    expected = learned.to_change(person.blendshapes - learned.mean_blendshapes)
    assert (back.expression - expected.expression).norm() < 0.3 * expected.expression.norm()


def test_a_change_of_coefficients_is_the_difference_of_two_faces():
    learned = MAPPED.blendshape_map
    one, other = PEOPLE[0].blendshapes[:2]
    faces = learned.to_expression(torch.stack([one, other]))
    change = learned.to_change((other - one)[None])
    torch.testing.assert_close(change.jaw[0], faces.jaw[1] - faces.jaw[0])
    torch.testing.assert_close(change.gaze[0], faces.gaze[1] - faces.gaze[0])


def test_shares_are_measured_on_other_people():
    learned = learn_blendshape_map(PEOPLE[:2], NOTHING)
    explained = measure_explained_blendshapes(learned, PEOPLE[2:], MODEL.expression_basis)
    assert explained.expression > 0.9
    assert explained.coefficients["jawOpen"] is None and explained.coefficients["mouthPucker"] > 0.9
    other = make_performance(MODEL, 300, seed=9, noise=3.0, part="mouth")
    noisy = measure_explained_blendshapes(learned, [other], MODEL.expression_basis)
    assert noisy.expression < explained.expression and noisy.mean < explained.mean
    assert explained.describe()["coefficients"]["tongueOut"] is None


def test_no_share_is_above_one_and_a_wrong_map_is_worse_than_none():
    learned = learn_blendshape_map(PEOPLE, NOTHING)
    explained = measure_explained_blendshapes(learned, PEOPLE, MODEL.expression_basis)
    assert all(share is None or share <= 1 for share in explained.coefficients.values())
    turned = replace(learned, blendshape_slopes=-learned.blendshape_slopes, number_slopes=-learned.number_slopes)
    assert measure_explained_blendshapes(turned, PEOPLE, MODEL.expression_basis).expression < 0


def test_a_face_model_keeps_its_map_in_its_file(tmp_path):
    path = tmp_path / "model.safetensors"
    save_landmark_model(MAPPED, path, {})
    loaded = load_landmark_model(path).blendshape_map
    for name, tensor in MAPPED.blendshape_map.tensors().items():
        torch.testing.assert_close(loaded.tensors()[name], tensor, atol=1e-3, rtol=1e-3)  # half precision
    assert {name: tuple(tensor.shape) for name, tensor in loaded.tensors().items()} == map_shapes(50)
    torch.testing.assert_close(load_landmark_model(path).mean, MODEL.mean)


def test_a_file_whose_map_is_cut_off_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    save_landmark_model(MAPPED, path, {})
    tensors, metadata = load_weights(path)
    del tensors["map_number_slopes"]
    save_weights(path, tensors, config=metadata["config"], metadata={"landmark_model": LANDMARK_MODEL})
    with pytest.raises(WeightsError, match="map_number_slopes"):
        load_landmark_model(path)


def test_the_names_stand_for_the_columns():
    jaw = torch.zeros(1, 52)
    jaw[0, BLENDSHAPES.index("jawOpen")] = 1
    assert MAPPED.blendshape_map.to_change(jaw).jaw[0, 0] == pytest.approx(0.22, abs=0.01)
