import numpy as np
import pytest
import torch

from fadm.media.compose import FEATHER, feather_mask, paste_square, place_beside, take_off_white
from fadm.media.crop import Square, copy_square, to_tensor
from tests.media.samples import pattern


def test_a_feather_is_nothing_at_the_border_and_one_inside():
    mask = feather_mask(200)
    assert mask.shape == (1, 1, 200, 200)
    border = torch.cat([mask[..., 0, :], mask[..., -1, :], mask[..., 0], mask[..., -1]], -1)
    assert border.max() < 0.01
    width = round(FEATHER * 200)
    assert (mask[..., width:-width, width:-width] == 1).all()
    assert (mask[0, 0, 100, :100].diff() >= 0).all()
    torch.testing.assert_close(mask, mask.flip(-1))
    torch.testing.assert_close(mask, mask.transpose(-1, -2))


@pytest.mark.parametrize("square", [Square(10, 5, 30), Square(-7, -9, 40), Square(40, 30, 50), Square(-10, -10, 90)])
def test_pasting_the_same_pixels_changes_nothing(square):
    picture = pattern(5)
    window = to_tensor(copy_square(picture, square, square.side))
    np.testing.assert_array_equal(paste_square(picture, square, window, feather_mask(square.side)), picture)


def test_pixels_are_blended_by_the_mask_within_the_square_alone():
    picture = np.full((20, 30, 3), 100, np.uint8)
    mask = torch.tensor([0.0, 0.25, 0.5, 1.0]).repeat(4, 1)[None, None]
    pasted = paste_square(picture, Square(28, 3, 4), torch.ones(1, 3, 4, 4), mask)
    assert pasted[3:7, 28:].tolist() == [[[100] * 3, [139] * 3]] * 4  # 100 + 0.25 * 155, cut off at the edge
    pasted[3:7, 28:] = 100
    np.testing.assert_array_equal(pasted, picture)


def test_the_picture_itself_is_not_changed():
    picture = pattern(0)
    before = picture.copy()
    paste_square(picture, Square(0, 0, 8), torch.ones(1, 3, 8, 8), torch.ones(1, 1, 8, 8))
    np.testing.assert_array_equal(picture, before)


def test_pictures_beside_each_other_have_one_height_and_even_widths():
    first, second = pattern(0, 64, 48), pattern(9, 30, 20)
    row = place_beside([first, second], 48)
    assert row.shape == (48, 64 + 72, 3)
    np.testing.assert_array_equal(row[:, :64], first)
    assert place_beside([pattern(0, 33, 48)], 48).shape[1] % 2 == 0


def test_a_picture_without_alpha_is_opaque_beside_one_with_it():
    clear = np.dstack([pattern(0), np.zeros((48, 64), np.uint8)])
    row = place_beside([clear, pattern(3, 30, 20)], 48)
    assert row.shape == (48, 64 + 72, 4) and (row[:, :64, 3] == 0).all() and (row[:, 64:, 3] == 255).all()


def test_colours_under_alpha_are_found_without_the_white():
    colours = pattern(4)
    alpha = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))[..., None]
    alpha[:, 60:] = 255
    share = alpha / 255
    white = np.rint(colours * share + 255 * (1 - share)).astype(np.uint8)
    found = take_off_white(white, alpha)
    np.testing.assert_array_equal(found[..., 3:], alpha)
    np.testing.assert_array_equal(found[:, 60:, :3], colours[:, 60:])
    np.testing.assert_allclose(found[:, 32:, :3], colours[:, 32:], atol=1)  # alpha from a half on
    again = found[..., :3] * share + 255 * (1 - share)
    np.testing.assert_allclose(again, white, atol=1)
    assert (found[:, 0, :3] == 255).all()


def test_the_window_has_the_squares_size():
    with pytest.raises(RuntimeError, match="size of tensor"):
        paste_square(pattern(0), Square(0, 0, 8), torch.ones(1, 3, 9, 9)[..., :5, :5], torch.ones(1, 1, 8, 8))
