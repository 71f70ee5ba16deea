import warnings

import numpy as np
import pytest
import torch

from fadm.media.crop import Square, copy_square, cut_square, resize_pixels, square_around, to_pixels, to_tensor
from tests.media.samples import pattern


@pytest.mark.parametrize("turns", [1, 2, 3, -1])
def test_a_window_turns_with_its_picture(turns):
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    square = Square(4, 7, 9)
    turned = square.turned((20, 30), turns)
    expected = np.rot90(pixels[7:16, 4:13], turns)
    assert (np.rot90(pixels, turns)[turned.top : turned.top + 9, turned.left : turned.left + 9] == expected).all()


def test_the_square_around_points_has_them_in_its_middle():
    points = np.array([[10, 20, 5], [30, 100, 9], [20, 60, 0]], np.float32)
    assert square_around(points, 1.5) == Square(-40, 0, 120)


def test_a_square_within_the_picture_is_a_slice():
    picture = to_tensor(pattern(0))
    inner, outer = Square(10, 20, 16), Square(8, 4, 32)
    assert torch.equal(cut_square(picture, inner), picture[..., 20:36, 10:26])
    assert torch.equal(cut_square(cut_square(picture, outer), inner.within(outer)), cut_square(picture, inner))


def test_a_picture_is_mirrored_beyond_its_edges_and_blurred_far_from_them():
    picture = torch.rand(1, 3, 120, 100, generator=torch.Generator().manual_seed(0))
    found = cut_square(picture, Square(-100, -90, 300))[0]
    torch.testing.assert_close(found[:, 90:210, 100:200], picture[0])
    near = picture[0, :, :, :3].flip(2)
    torch.testing.assert_close(found[:, 90:210, 97:100], near, atol=0.4, rtol=0)
    assert torch.corrcoef(torch.stack([found[:, 90:210, 97:100].flatten(), near.flatten()]))[0, 1] > 0.9
    assert found[:, 90:210, :80].std() < 0.25 * picture.std()


def test_no_row_or_column_is_repeated_beyond_the_picture():
    found = copy_square(pattern(0), Square(-20, -20, 90), 90).astype(float)
    for axis in (0, 1):
        change = np.abs(np.diff(found, axis=axis)).max(axis=(1 - axis, 2))
        assert (change == 0).sum() <= 2  # the mirror image begins with the outermost row or column itself


def test_a_square_wholly_beyond_the_picture_has_its_mean_colour():
    pixels = pattern(0)
    found = copy_square(pixels, Square(500, 500, 640), 64)
    np.testing.assert_allclose(found.mean((0, 1)), pixels.mean((0, 1)), atol=12)


@pytest.mark.parametrize(
    ("square", "expected"),
    [
        (Square(10, 20, 30), Square(10, 20, 30)),
        (Square(-5, 90, 30), Square(0, 70, 30)),
        (Square(60, -3, 30), Square(50, 0, 30)),
        (Square(-40, -30, 160), Square(0, 10, 80)),
    ],
)
def test_a_square_is_fitted_into_a_picture(square, expected):
    assert square.fitted((100, 80)) == expected


def test_pixels_come_back_from_a_tensor():
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    picture = to_tensor(pixels)
    assert picture.shape == (1, 3, 16, 16) and picture.dtype == torch.float32
    assert picture.max() == 1
    np.testing.assert_array_equal(to_pixels(picture), pixels)
    assert to_pixels(2 * picture - 0.5).min() == 0 and to_pixels(2 * picture).max() == 255


@pytest.mark.parametrize("size", [24, 96, 31])
def test_resizing_keeps_what_is_linear(size):
    """Pixel centres of the window at any size: corners do not shift."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(80.0), indexing="ij")
    picture = torch.stack([x, y])[None]
    square = Square(8, 4, 48)
    found = cut_square(picture, square, size)
    expected = torch.from_numpy(square.grid(size))
    inner = slice(2, -2)
    torch.testing.assert_close(found[0, 0, 5, inner], expected[inner] + 8, atol=0.05, rtol=0)
    torch.testing.assert_close(found[0, 1, inner, 5], expected[inner] + 4, atol=0.05, rtol=0)


def test_resized_pixels_can_be_made_a_tensor_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resized = resize_pixels(pattern(3), 32, 24)
        assert to_tensor(resized).shape == (1, 3, 24, 32)
    assert resized.flags.writeable


def test_a_fine_pattern_is_antialiased():
    stripes = torch.zeros(1, 1, 64, 64)
    stripes[..., ::2] = 1
    small = cut_square(stripes, Square(0, 0, 64), 16)
    torch.testing.assert_close(small[..., 2:-2], torch.full((1, 1, 16, 12), 0.5), atol=0.05, rtol=0)


def test_pixels_have_three_axes():
    with pytest.raises(RuntimeError, match="number of dimensions"):
        to_tensor(np.zeros((4, 4), np.uint8))
