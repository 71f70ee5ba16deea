import pytest
import torch

from fadm.face.masks import MOUTH, outline_mask
from fadm.face.topology import FACE_OVAL
from tests.face.portraits import read_portrait


def test_an_outline_is_filled():
    square = torch.tensor([[2.0, 1.0], [5.0, 1.0], [5.0, 6.0], [2.0, 6.0]])[None]
    mask = outline_mask(square, (8, 10), outline=range(4))
    assert mask.shape == (1, 1, 8, 10) and mask.sum() == 4 * 6 and mask[0, 0, 1:7, 2:6].all()


def test_no_face_no_region():
    landmarks = torch.rand(2, 478, 3) * 8
    landmarks[1] = torch.nan
    assert outline_mask(landmarks, (8, 8)).sum(dim=(1, 2, 3)).gt(0).tolist() == [True, False]


def test_the_mouth_lies_within_the_face():
    landmarks = torch.from_numpy(read_portrait().landmarks)[None]
    face, mouth = (outline_mask(landmarks, (256, 256), outline) for outline in (FACE_OVAL, MOUTH))
    assert 0 < mouth.sum() < 0.1 * face.sum() and (mouth <= face).all()


def test_an_outline_goes_round_once():
    assert len(MOUTH) == len(set(MOUTH)) == 20


def test_other_landmarks_are_refused():
    with pytest.raises(IndexError, match="out of bounds"):
        outline_mask(torch.rand(1, 68, 2), (8, 8))
