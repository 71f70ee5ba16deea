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
from fadm.weights.store import load_weights, save_weights
from tests.attributes.made_up import make_mapped_model, make_performance, true_slopes

MODEL = load_landmark_model()
PEOPLE = [make_performance(MODEL, 300, seed=seed) for seed in range(3)]
MAPPED = make_mapped_model(MODEL)
USED = slice(0, 51)  # all but the tongue


def to_attributes(performance: Performance) -> FaceAttributes:
    expression, jaw, gaze = performance.numbers.split([50, 3, 4], 1)
    return FaceAttributes(expression, torch.cat([torch.zeros_like(jaw), jaw], 1), torch.ones(len(jaw), 3), gaze)


def test_the_true_movements_are_found_whatever_the_faces_at_rest():
    learned = learn_blendshape_map(PEOPLE, ridge=1e-8)
    torch.testing.assert_close(learned.number_slopes[:, USED], true_slopes(MODEL)[:, USED], atol=1e-3, rtol=0)
    assert learned.number_slopes[:, 51].abs().max() < 1e-6  # a movement that no one makes moves nothing


def test_the_slopes_are_those_of_ridge_regression():
    """With unit deviations, one person and a ridge of 1 the slopes are (X'X + n)^-1 X'y."""
    generator = torch.Generator().manual_seed(0)
    blendshapes = torch.randn(4000, 52, generator=generator)
    blendshapes = (blendshapes - blendshapes.mean(0)) / blendshapes.std(0, correction=0)
    numbers = torch.randn(4000, 57, generator=generator)
    numbers = numbers - numbers.mean(0)
    learned = learn_blendshape_map([Performance(numbers, blendshapes)], ridge=1.0)
    expected = torch.linalg.solve(blendshapes.T @ blendshapes + 4000 * torch.eye(52), blendshapes.T @ numbers).T
    torch.testing.assert_close(learned.number_slopes, expected, atol=1e-4, rtol=1e-3)


def test_coefficients_come_back_from_the_faces_that_they_make():
    learned = learn_blendshape_map(PEOPLE, ridge=1e-8)
    person = PEOPLE[0]
    change = to_attributes(person)
    assert torch.equal(join_numbers(change), person.numbers)
    moved = learned.to_expression(person.blendshapes)
    face = FaceAttributes(
        moved.expression, torch.cat([torch.zeros(300, 3), moved.jaw], 1), torch.ones(300, 3), moved.gaze
    )
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
    learned = learn_blendshape_map(PEOPLE[:2])
    explained = measure_explained_blendshapes(learned, PEOPLE[2:], MODEL.expression_basis)
    assert explained.expression > 0.9 and explained.jaw > 0.9 and explained.gaze > 0.9
    assert explained.coefficients["tongueOut"] is None and explained.coefficients["jawOpen"] > 0.9
    noisy = measure_explained_blendshapes(
        learned, [make_performance(MODEL, 300, seed=9, noise=3.0)], MODEL.expression_basis
    )
    assert noisy.expression < explained.expression and noisy.mean < explained.mean
    assert explained.describe()["coefficients"]["tongueOut"] is None


def test_no_share_is_above_one_and_a_wrong_map_is_worse_than_none():
    learned = learn_blendshape_map(PEOPLE)
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
    save_weights(path, tensors, config=metadata["config"], metadata={})
    with pytest.raises(WeightsError, match="map_number_slopes"):
        load_landmark_model(path)


def test_the_names_stand_for_the_columns():
    jaw = torch.zeros(1, 52)
    jaw[0, BLENDSHAPES.index("jawOpen")] = 1
    assert MAPPED.blendshape_map.to_change(jaw).jaw[0, 0] == pytest.approx(0.22, abs=0.01)
