import numpy as np
import pytest

from fadm.face.raster import interpolate, rasterize

NO_TRIANGLES = np.zeros((0, 3), np.int64)
SQUARE = np.array([[0, 0, 1], [4, 0, 1], [4, 4, 1], [0, 4, 1]], np.float32)
HALVES = np.array([[0, 1, 2], [0, 2, 3]])


def rasterize_by_brute_force(vertices, triangles, height, width):
    """Ask every triangle about every pixel."""
    y, x = np.mgrid[:height, :width].astype(float)
    index, nearest = np.full((height, width), -1), np.full((height, width), np.inf)
    weights = np.zeros((height, width, 3))
    for number, corners in enumerate(vertices[triangles].astype(float)):
        (x0, y0, _), (x1, y1, _), (x2, y2, _) = corners
        area = (y1 - y2) * (x0 - x2) + (x2 - x1) * (y0 - y2)
        a = ((y1 - y2) * (x - x2) + (x2 - x1) * (y - y2)) / area
        b = ((y2 - y0) * (x - x2) + (x0 - x2) * (y - y2)) / area
        barycentric = np.stack([a, b, 1 - a - b], -1)
        depth = barycentric @ corners[:, 2]
        is_seen = (barycentric >= 0).all(-1) & (depth < nearest)
        index[is_seen], nearest[is_seen], weights[is_seen] = number, depth[is_seen], barycentric[is_seen]
    return index, weights


@pytest.mark.parametrize("seed", range(5))
def test_random_triangles_are_drawn_as_by_brute_force(seed):
    rng = np.random.default_rng(seed)
    vertices = (rng.random((30, 3)) * [60, 50, 10] - [10, 10, 0]).astype(np.float32)  # some beyond the picture
    triangles = np.stack([rng.permutation(30)[:3] for _ in range(25)])
    index, barycentric = rasterize(vertices, triangles, 32, 40)
    expected_index, expected_barycentric = rasterize_by_brute_force(vertices, triangles, 32, 40)
    assert index.shape == (32, 40) and barycentric.shape == (32, 40, 3)
    np.testing.assert_array_equal(index, expected_index)
    np.testing.assert_allclose(barycentric, expected_barycentric, atol=1e-6)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_nearer_triangle_hides_the_other(order):
    near, far = np.array([[0, 0, 1], [9, 0, 1], [0, 9, 1]]), np.array([[0, 0, 2], [9, 0, 2], [0, 9, 2]])
    vertices = np.concatenate([near, far]).astype(np.float32)
    index, _ = rasterize(vertices, np.array([[0, 1, 2], [3, 4, 5]])[order], 10, 10)
    assert set(index[index >= 0]) == {order.index(0)}


def test_nothing_is_drawn_without_triangles_or_off_the_picture():
    beyond = SQUARE + np.array([100, 0, 0], np.float32)
    for vertices, triangles in ((SQUARE, NO_TRIANGLES), (beyond, HALVES), (-beyond, HALVES)):
        index, barycentric = rasterize(vertices, triangles, 6, 7)
        assert (index == -1).all() and not barycentric.any()
        np.testing.assert_array_equal(interpolate(vertices, triangles, index, barycentric), np.zeros((6, 7, 3)))


def test_a_flat_triangle_gives_finite_weights():
    index, barycentric = rasterize(SQUARE, np.array([[0, 2, 2], [1, 1, 1]]), 6, 6)
    assert np.isfinite(barycentric).all()
    assert set(np.unique(index)) <= {-1, 0, 1}


def test_values_are_interpolated_linearly_and_zero_outside():
    index, barycentric = rasterize(SQUARE, HALVES, 6, 6)
    drawn = interpolate(SQUARE[:, :2], HALVES, index, barycentric)
    y, x = np.mgrid[:6, :6]
    expected = np.where(((x <= 4) & (y <= 4))[..., None], np.stack([x, y], -1), 0)
    np.testing.assert_allclose(drawn, expected, atol=1e-6)


def test_triangles_name_vertices_that_exist():
    with pytest.raises(IndexError, match="out of bounds"):
        rasterize(SQUARE, np.array([[0, 1, 4]]), 6, 6)
