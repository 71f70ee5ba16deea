from dataclasses import replace

import numpy as np
import pytest
import torch

from fadm.animation.animator import Animator
from fadm.animation.frames import compose
from fadm.attributes.anchoring import AnchoredMotion
from fadm.attributes.motion import make_still_motion
from fadm.coarse.generators import GeometricGenerator
from fadm.coarse.source import CROP_SCALE, PreparedSource
from fadm.media.crop import square_around
from fadm.media.image import read_image
from fadm.options import Gains, SourceOptions
from tests.media.samples import ASTRONAUT

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def animator():
    return Animator(device="cpu")


def prepare(animator: Animator, *, crop: bool) -> PreparedSource:
    """A portrait whose hair is cut off by the upper edge of its picture."""
    return animator.prepare(read_image(ASTRONAUT)[60:], SourceOptions(crop=crop))


def lower_head(animator: Animator, prepared: PreparedSource) -> np.ndarray:
    """The result with the head shifted down by a fifth of its width."""
    own, identity = prepared.face.attributes, prepared.face.identity
    camera = own.camera * torch.tensor([[1.0, 1.0, 1.0]]) + own.camera[:, :1] * torch.tensor([[0.0, 0.0, 0.25]])
    motion = make_still_motion([own, replace(own, camera=camera)], identity)
    generator = GeometricGenerator(animator.model, prepared, CPU)
    animation = generator.follow(AnchoredMotion(motion, {0: 0}, torch.arange(2)), Gains())
    return compose(prepared, animation.draw(1, None)).astype(float)


def test_the_crop_of_a_face_near_an_edge_lies_in_the_picture(animator):
    prepared = prepare(animator, crop=True)
    height, width = prepared.picture.shape[:2]
    crop, wanted = prepared.crop, square_around(prepared.oval, CROP_SCALE)
    assert wanted.top < 0  # it would reach beyond
    assert crop.top == 0 and crop.side == wanted.side
    assert 0 <= crop.left <= width - crop.side and crop.side <= height


@pytest.mark.parametrize("crop", [True, False])
def test_hair_that_comes_in_from_beyond_the_edge_is_no_streak(animator, crop):
    prepared = prepare(animator, crop=crop)
    result = lower_head(animator, prepared)
    middle = prepared.oval[:, 0].mean() * (prepared.size / prepared.crop.side if crop else 1)
    left = middle - prepared.crop.left * (prepared.size / prepared.crop.side) if crop else middle
    hair = result[:10, int(left) - 10 : int(left) + 10]
    assert np.abs(np.diff(hair, axis=0)).mean((1, 2)).min() > 0.05  # no row is the one above it again
