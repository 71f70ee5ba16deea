import numpy as np
import pytest

from fadm.coarse.geometric.eyeball import Iris, find_iris, read_texture, take_apart, texture_grid

GRID = texture_grid(160)
WHITE, BROWN = np.array([0.85, 0.8, 0.8]), np.array([0.3, 0.2, 0.1])
IRIS = Iris(np.array([0.46, -0.03]), 0.2, 0.03)
ABOVE, BELOW = GRID[..., 1] + 0.15, 0.15 - GRID[..., 1]  # lids at -0.15 and 0.15


def paint_eye(iris: Iris = IRIS) -> np.ndarray:
    """A brown iris on white between level lids; the skin is red."""
    away = np.linalg.norm(GRID - iris.centre, axis=-1, keepdims=True)
    picture = WHITE + iris.cover(away) * (BROWN - WHITE)
    return np.where((np.minimum(ABOVE, BELOW) > 0)[..., None], picture, [0.7, 0.4, 0.3])


def test_a_texture_is_read_where_it_was_written():
    np.testing.assert_allclose(read_texture(GRID, GRID[3:-3, 3:-3]), GRID[3:-3, 3:-3], atol=1e-6)


@pytest.mark.parametrize(("x", "y", "radius"), [(0.44, -0.01, 0.22), (0.49, -0.05, 0.24)])
def test_an_iris_is_found_beside_its_landmarks(x, y, radius):
    found = find_iris(paint_eye(), ABOVE, BELOW, Iris(np.array([x, y]), radius, 0.03))
    np.testing.assert_allclose(found.centre, IRIS.centre, atol=0.03)
    assert found.radius == pytest.approx(IRIS.radius, abs=0.02)


def test_what_lids_hide_is_completed():
    layers = take_apart(paint_eye(), ABOVE, BELOW, IRIS)
    away = np.linalg.norm(GRID - IRIS.centre, axis=-1)
    assert np.abs(layers.disc[away < 0.8 * IRIS.radius] - BROWN).max() < 0.05
    assert np.abs(layers.white - WHITE).max() < 0.05
    assert layers.highlights.max() < 0.05


def test_a_highlight_is_a_layer_of_its_own():
    picture = paint_eye()
    is_lit = np.linalg.norm(GRID - IRIS.centre - [0.06, -0.03], axis=-1) < 0.03
    picture[is_lit] = 1
    layers = take_apart(picture, ABOVE, BELOW, IRIS)
    assert layers.highlights[is_lit].min() > 0.5
    assert layers.highlights[~is_lit].max() < 0.05
    assert np.abs(layers.disc[is_lit] - BROWN).max() < 0.05


def test_a_white_that_is_not_seen_is_light():
    picture = paint_eye()
    picture[np.abs(picture - WHITE).max(-1) < 0.2] = [0.1, 0.05, 0.05]
    layers = take_apart(picture, ABOVE, BELOW, IRIS)
    assert np.median(layers.white.mean(-1)) > 0.2
