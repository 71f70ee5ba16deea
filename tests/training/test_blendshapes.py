import pytest
import torch

from fadm.attributes.coefficients import see_blendshapes
from fadm.attributes.landmark_model import load_landmark_model
from fadm.blendshapes import BLENDSHAPES
from fadm.face import topology
from fadm.training.blendshapes import (
    learn_map,
    mirror_landmarks,
    read_performances,
    upper_part,
)
from tests.training.test_face_model import make_clip

MODEL = load_landmark_model()
LEFT, RIGHT = (BLENDSHAPES.index(f"mouthSmile{side}") for side in ("Left", "Right"))


def move(numbers: torch.Tensor) -> torch.Tensor:
    """Displacements (B, 478, 3) of numbers (B, 57)."""
    return MODEL.displacement(numbers[:, :50], numbers[:, 50:53])


def test_what_people_do_in_both_languages():
    clips = [make_clip(0), make_clip(1), make_clip(2, num_frames=1)]
    first, second = read_performances(MODEL, clips)
    assert first.numbers.shape == (12, 57) and first.blendshapes.shape == (12, 52)
    torch.testing.assert_close(second.blendshapes, see_blendshapes(torch.from_numpy(256 * clips[1].landmarks)))
    with_mirrored = read_performances(MODEL, clips, with_mirrored=True)
    assert len(with_mirrored) == 4 and torch.equal(with_mirrored[2].numbers, second.numbers)
    assert torch.equal(with_mirrored[1].blendshapes[:, LEFT], first.blendshapes[:, RIGHT])
    mirrored = mirror_landmarks(move(first.numbers))
    found = move(with_mirrored[1].numbers)
    change, expected = (faces - faces.mean(0) for faces in (found, mirrored))
    assert (change - expected)[:, : topology.NUM_SURFACE].norm() < 0.2 * expected.norm()


def test_the_upper_part_of_a_movement_leaves_mouth_and_jaw():
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(8, 57, generator=generator) * torch.tensor([1.0] * 50 + [0.1] * 7)
    kept = numbers @ upper_part(MODEL).T
    torch.testing.assert_close(kept[:, 53:], numbers[:, 53:])
    mouth, brows = list(topology.OUTER_LOWER_LIP), list(topology.BROW_LEFT)
    whole, part = move(numbers), move(kept)
    assert part[:, mouth].norm() < 0.2 * whole[:, mouth].norm()
    assert (part - whole)[:, brows].norm() < 0.5 * whole[:, brows].norm()  # small movements are left out


def test_a_learned_map_treats_both_sides_alike():
    learned = learn_map(MODEL, [make_clip(seed) for seed in range(4)])
    left, right = torch.eye(52)[[LEFT, RIGHT]]
    changes = [learned.to_change(one[None]) for one in (left, right)]
    one, other = (MODEL.displacement(change.expression, change.jaw)[0] for change in changes)
    surface = slice(topology.NUM_SURFACE)
    assert (mirror_landmarks(one) - other)[surface].norm() < 0.2 * one[surface].norm()


def test_a_portrait_is_no_performance():
    assert read_performances(MODEL, [make_clip(0, num_frames=1)]) == []
    with pytest.raises(ValueError, match="non-empty"):
        learn_map(MODEL, [make_clip(0, num_frames=1)])
