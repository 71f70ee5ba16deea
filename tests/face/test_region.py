import math

import numpy as np
import pytest

from fadm.face.region import Region, count_turns, cut_region, shrink, turn_points, whole_region
from fadm.media.image import read_image
from tests.media.samples import ASTRONAUT


def test_a_region_of_the_picture_itself_is_the_picture():
    pixels = read_image(ASTRONAUT)[:256, :256]
    cut = cut_region(pixels, whole_region(pixels), 256)
    np.testing.assert_allclose(cut[0] * 255, pixels, atol=0.01)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_region_shows_a_turned_picture_upright(turns):
    pixels = read_image(ASTRONAUT)[:200, :256]
    turned = np.ascontiguousarray(np.rot90(pixels, -turns))
    cut = cut_region(turned, whole_region(turned, turns * math.pi / 2), 256, padding="zeros")
    np.testing.assert_allclose(cut, cut_region(pixels, whole_region(pixels), 256, padding="zeros"), atol=2e-3)


def test_places_in_a_region_are_those_that_it_shows():
    pixels = np.zeros((80, 120, 3), np.uint8)
    pixels[30, 90] = 255
    region = Region(85, 33, 20, 0.5)
    cut = cut_region(pixels, region, 200)[0, :, :, 0]
    row, column = np.unravel_index(cut.argmax(), cut.shape)
    place = region.to_picture(np.array([[column + 0.5, row + 0.5]], np.float32) / 200)
    np.testing.assert_allclose(place, [[90, 30]], atol=0.1)


def test_points_turn_with_their_picture():
    pixels = np.zeros((5, 8, 3), np.uint8)
    pixels[1, 6] = 255
    for turns in range(4):
        ((x, y),) = turn_points(np.array([[6, 1]], np.float32), pixels.shape[:2], turns)
        assert np.rot90(pixels, turns)[int(y), int(x), 0] == 255


def test_a_scaled_region_shows_the_same_in_the_scaled_picture():
    pixels = read_image(ASTRONAUT)
    region = Region(220, 120, 200, 0.3)
    shown, smaller = cut_region(pixels, region, 50), cut_region(shrink(pixels, 4), region.scaled(1 / 4), 50)
    assert np.abs(shown - smaller).mean() < 0.01
    assert region.scaled(1 / 4).scaled(4) == region


@pytest.mark.parametrize(("degrees", "turns"), [(0, 0), (55, 0), (-55, 0), (80, 1), (170, 2), (-170, 2), (-80, 3)])
def test_only_a_face_that_lies_is_turned(degrees, turns):
    assert count_turns(Region(0, 0, 1, math.radians(degrees))) == turns


def test_a_shrunk_picture_keeps_its_mean():
    pixels = read_image(ASTRONAUT)
    assert shrink(pixels, 5).shape == (103, 103, 3)
    np.testing.assert_allclose(shrink(pixels, 8).mean((0, 1)), pixels.mean((0, 1)), atol=0.6)
