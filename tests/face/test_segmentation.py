import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from fadm.face.segmentation import segment_people
from fadm.face.topology import NOSE_TIP
from fadm.media.crop import to_tensor
from tests.face.portraits import read_portrait


def test_the_face_is_of_a_person_and_the_wall_is_not():
    portrait = read_portrait()
    assert portrait.person.shape == (256, 256) and portrait.person.dtype == np.float32
    assert portrait.person.min() >= 0 and portrait.person.max() <= 1
    x, y = portrait.landmarks[NOSE_TIP, :2].round().astype(int)
    assert portrait.person[y, x] > 0.9
    assert portrait.person[40:120, -20:].mean() < 0.1


def test_pictures_are_looked_at_one_by_one():
    portrait = read_portrait()
    both = torch.cat([to_tensor(portrait.pixels), to_tensor(portrait.pixels).flip(3)])
    first, second = segment_people(both)[:, 0].numpy()
    np.testing.assert_array_equal(first, portrait.person)
    assert np.abs(second[:, ::-1] - first).mean() < 0.05 < np.abs(second - first).mean()


def test_threads_leave_the_error_stream_as_it_was():
    picture, before = to_tensor(read_portrait().pixels), os.fstat(2)
    with ThreadPoolExecutor(4) as pool:
        masks = list(pool.map(segment_people, [picture] * 12))
    assert all(torch.equal(mask, masks[0]) for mask in masks)
    assert os.path.samestat(os.fstat(2), before)


def test_pictures_are_rgb():
    with pytest.raises(ValueError, match="three-channel RGB"):
        segment_people(torch.zeros(1, 4, 32, 32))
