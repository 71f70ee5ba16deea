from dataclasses import replace
from importlib.resources import files

import pytest
import torch

from fadm.attributes.landmark_model import (
    NUMBERS,
    LandmarkModel,
    LandmarkModelConfig,
    fit_face,
    hash_numbers,
    load_landmark_model,
    pose_landmarks,
    save_landmark_model,
)
from fadm.attributes.rotation import axis_angle_to_matrix
from fadm.errors import WeightsError
from fadm.face.landmarker import LANDMARK_MODEL
from fadm.weights.store import save_weights, verify_weights
from tests.attributes.made_up import degrees_between, make_attributes, make_identity, make_landmarks, without_map

MODEL = load_landmark_model()
IDENTITY = make_identity(MODEL)


def test_shapes():
    attributes, identity = MODEL.fit(make_landmarks(MODEL, make_attributes(3), IDENTITY))
    assert attributes.expression.shape == (3, 50) and attributes.pose.shape == (3, 6)
    assert attributes.camera.shape == (3, 3) and attributes.gaze.shape == (3, 4)
    assert identity.shape == (1, 40)
    assert MODEL.shape(identity).shape == (1, 478, 3)


def test_a_made_up_face_is_fitted_back():
    made = make_attributes(8)
    fitted, identity = MODEL.fit(make_landmarks(MODEL, made, IDENTITY), IDENTITY)
    assert identity is IDENTITY
    assert degrees_between(fitted.head, made.head).max() < 0.5
    torch.testing.assert_close(fitted.jaw, made.jaw, atol=0.01, rtol=0)
    torch.testing.assert_close(fitted.camera, made.camera, atol=0.5, rtol=0)
    torch.testing.assert_close(fitted.gaze, made.gaze, atol=0.01, rtol=0)
    assert (fitted.expression - made.expression).abs().mean() < 0.25  # standard deviations; the prior shrinks weak ones
    made_motion = MODEL.displacement(made.expression, made.jaw)
    left_over = MODEL.displacement(fitted.expression, fitted.jaw) - made_motion
    assert left_over.norm(dim=-1).mean() < 0.1 * made_motion.norm(dim=-1).mean()


def test_an_unknown_person_is_one_person_in_all_frames():
    tracked = make_landmarks(MODEL, make_attributes(16), IDENTITY)
    attributes, identity = MODEL.fit(tracked)
    explained = make_landmarks(MODEL, attributes, identity)
    assert (explained - tracked)[..., :2].norm(dim=-1).mean() < 0.5  # pixels at 256
    own, neutral = MODEL.shape(IDENTITY), MODEL.mean
    assert (MODEL.shape(identity) - own).norm(dim=-1).mean() < 0.4 * (neutral - own).norm(dim=-1).mean()
    again, _ = MODEL.fit(tracked[:4], identity)
    torch.testing.assert_close(again.vector, attributes.vector[:4], atol=1e-4, rtol=0)


def test_canonical_landmarks_have_no_pose():
    still = make_attributes(1)
    turned = make_attributes(6, seed=1)
    turned = replace(turned, expression=still.expression.expand(6, -1), gaze=still.gaze.expand(6, -1))
    turned.pose[:, 3:] = still.jaw
    canonical = MODEL.canonical(make_landmarks(MODEL, turned, IDENTITY), IDENTITY)
    torch.testing.assert_close(canonical, canonical[:1].expand(6, -1, -1), atol=1e-4, rtol=0)


def test_a_fitted_face_posed_again_is_what_was_tracked():
    landmarks = make_landmarks(MODEL, make_attributes(1), IDENTITY)[0] + 0.5 * torch.randn(
        478, 3, generator=torch.Generator().manual_seed(0)
    )
    face = fit_face(MODEL, landmarks)
    posed = pose_landmarks(face.canonical, face.attributes)
    torch.testing.assert_close(posed[0, :, :2], landmarks[:, :2], atol=1e-3, rtol=0)


def test_jaw_turns_the_chin_about_the_pivot():
    jaw = torch.tensor([[0.15, 0.0, 0.0]])
    moved = MODEL.displacement(torch.zeros(1, 50), jaw)[0]
    arm = MODEL.mean - MODEL.jaw_pivot
    chin = MODEL.jaw_weights.argmax()
    turned = axis_angle_to_matrix(jaw)[0] @ arm[chin] - arm[chin]
    torch.testing.assert_close(moved[chin], MODEL.jaw_weights[chin] * turned, atol=1e-5, rtol=0)
    assert turned[1] > 0.05  # the mouth opens downwards
    assert MODEL.jaw_weights[10] == 0  # the forehead rests


def test_the_shipped_model_says_what_it_was_learned_from():
    metadata = verify_weights(files("fadm.weights") / "landmark_model.safetensors")
    assert metadata["licence"] == "Apache-2.0"
    assert metadata["kind"] == "landmark face model"
    assert "clips" in metadata["trained_on"]
    assert metadata["sources"]


def test_a_saved_model_comes_back_in_half_precision(tmp_path):
    save_landmark_model(MODEL, tmp_path / "model.safetensors", {"licence": "Apache-2.0"})
    loaded = load_landmark_model(tmp_path / "model.safetensors")
    assert loaded.config == MODEL.config
    for name, tensor in MODEL.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, atol=1e-3, rtol=1e-3)


def test_weights_of_another_size_are_refused(tmp_path):
    other = LandmarkModel(LandmarkModelConfig(num_identity=3))
    path = tmp_path / "other.safetensors"
    save_weights(
        path, dict(other.state_dict()), config={"num_identity": 4}, metadata={"landmark_model": LANDMARK_MODEL}
    )
    with pytest.raises(WeightsError, match=r"identity_basis"):
        load_landmark_model(path)


@pytest.mark.parametrize(("told", "said"), [({}, "an unnamed model"), ({"landmark_model": "dlib 68"}, "dlib 68")])
def test_a_model_of_other_landmarks_is_refused(tmp_path, told, said):
    path = tmp_path / "other.safetensors"
    save_weights(path, dict(MODEL.state_dict()), config={"has_blendshapes": True}, metadata=told)
    with pytest.raises(WeightsError, match=f"{said}, not of mediapipe face mesh 2; .*`fadm learn-face-model`"):
        load_landmark_model(path)


def test_the_hash_is_of_what_gives_the_numbers_meaning(tmp_path):
    known = hash_numbers(MODEL)
    save_landmark_model(without_map(MODEL), tmp_path / "model.safetensors", {})
    assert hash_numbers(load_landmark_model(tmp_path / "model.safetensors")) == known
    tensors = MODEL.state_dict()
    for name in NUMBERS:
        assert hash_numbers(LandmarkModel(MODEL.config, tensors | {name: -tensors[name]})) != known
