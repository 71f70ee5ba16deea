import numpy as np
import pytest
import torch

from fadm.attributes.landmark_model import LandmarkModel, LandmarkModelConfig, load_landmark_model
from fadm.blendshapes import BLENDSHAPES
from fadm.data.shards import TrackedClip
from fadm.errors import InputError
from fadm.face import topology
from fadm.training.face_model import learn_landmark_model, measure_explained_motion
from tests.attributes.made_up import make_attributes, make_identity, make_landmarks

SHIPPED = load_landmark_model()
OPEN = {"tier": "open", "source": "someone/portraits", "terms": "MIT"}


def make_clip(seed: int, num_frames: int = 12, **info: str) -> TrackedClip:
    """A synthetic person of the shipped model, who moves."""
    landmarks = make_landmarks(SHIPPED, make_attributes(num_frames, seed=seed), make_identity(SHIPPED, seed=seed))
    return TrackedClip(f"clip{seed}", landmarks.numpy() / 256, OPEN | {"identity": str(seed)} | info)


@pytest.fixture(scope="module")
def learned() -> LandmarkModel:
    config = LandmarkModelConfig(num_identity=8, num_expression=30)
    return learn_landmark_model([make_clip(seed) for seed in range(8)], config)


def test_shapes(learned):
    assert learned.mean.shape == (478, 3)
    assert learned.identity_basis.shape == (8, 478, 3)
    assert learned.expression_basis.shape == (30, 478, 3)
    assert learned.jaw_weights.shape == (478,)


def test_each_number_explains_more_of_an_unseen_persons_motion(learned):
    explained = measure_explained_motion(learned, [make_clip(seed) for seed in (20, 21, 22)])
    assert explained.still > 2 * explained.pose > 2 * explained.jaw > 2 * explained.expression
    assert explained.expression < 1.0  # pixels at 256


def test_the_mean_stands_upright_with_unit_eye_distance(learned):
    right, left = (learned.mean[upper[0]] for upper, _, _ in topology.EYES)
    torch.testing.assert_close(left - right, torch.tensor([1.0, 0, 0]), atol=0.02, rtol=0)
    assert learned.mean[topology.CHIN, 1] > learned.mean[topology.FOREHEAD_TOP, 1]
    shipped = SHIPPED.mean - SHIPPED.mean[list(topology.STABLE)].mean(0)
    assert (learned.mean - shipped).norm(dim=1).mean() < 0.1


def test_the_model_is_symmetric(learned):
    partners = torch.from_numpy(topology.mirror_partners())
    mirrored = learned.mean[partners] * torch.tensor([-1.0, 1, 1])
    torch.testing.assert_close(mirrored, learned.mean, atol=1e-3, rtol=0)
    torch.testing.assert_close(learned.jaw_weights[partners], learned.jaw_weights, atol=0.02, rtol=0)


def test_the_jaw_carries_the_chin_and_leaves_the_skull(learned):
    assert learned.jaw_weights[list(topology.JAW)].mean() > 0.7
    assert (learned.jaw_weights[list(topology.STABLE)] == 0).all()
    assert (learned.jaw_weights[topology.NUM_SURFACE :] == 0).all()


def test_components_are_orthogonal_and_sorted(learned):
    flat = learned.expression_basis.flatten(1)
    lengths = flat.norm(dim=1)
    assert (lengths.diff() <= 1e-5).all()
    assert (flat.amax(1) == flat.abs().amax(1)).all()  # signs are settled
    gram = flat @ flat.T
    torch.testing.assert_close(gram, gram.diag().diag(), atol=1e-4, rtol=0)


def test_portraits_alone_teach_no_motion():
    portrait = [make_clip(0, num_frames=1)]
    with pytest.raises(InputError, match="none of the 1 given clips has more than one frame"):
        learn_landmark_model(portrait, LandmarkModelConfig())
    with pytest.raises(InputError, match="none of the 2 given clips has more than one frame"):
        measure_explained_motion(SHIPPED, [*portrait, *portrait])
    assert np.isfinite(measure_explained_motion(SHIPPED, [*portrait, make_clip(1)]).expression)


def test_portraits_add_identities_and_no_expressions():
    config = LandmarkModelConfig(num_identity=30, num_expression=30)
    clips = [make_clip(seed) for seed in range(2)]
    portraits = [make_clip(seed, num_frames=1) for seed in range(100, 200)]
    models = [learn_landmark_model(given, config) for given in ([*clips, *portraits], clips)]
    covariances = [model.expression_basis.flatten(1).T @ model.expression_basis.flatten(1) for model in models]
    torch.testing.assert_close(*covariances, atol=1e-5, rtol=1e-3)
    ranks = [int(torch.linalg.matrix_rank(model.identity_basis.flatten(1), rtol=1e-3)) for model in models]
    assert ranks == [30, 3]  # of two people and their mirror images, about their mean


def test_the_shares_of_the_blendshapes_variance(learned):
    shares = measure_explained_motion(SHIPPED, [make_clip(seed) for seed in (20, 21)]).blendshapes
    assert set(shares) <= set(BLENDSHAPES) and len(shares) > 20 and max(shares.values()) <= 1
    few = LandmarkModel(learned.config, learned.state_dict() | {"expression_basis": learned.expression_basis * 0})
    assert shares["mouthPucker"] > 0.9 > measure_explained_motion(few, [make_clip(20)]).blendshapes["mouthPucker"]
