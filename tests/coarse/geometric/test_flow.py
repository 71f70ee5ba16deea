import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from fadm.coarse.geometric.flow import MeshFlow, flow_of_mesh, sample, upsample, view_grid
from fadm.media.crop import Square

SQUARE = np.array([[10, 20, 0], [30, 20, 0], [30, 44, 0], [10, 44, 0]], np.float32)
HALVES = np.array([[0, 1, 2], [0, 2, 3]])


def make_picture(height: int = 20, width: int = 30) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


def find_flow(moved: np.ndarray, view: Square, size: int, triangles: np.ndarray = HALVES) -> MeshFlow:
    return flow_of_mesh(SQUARE, moved.astype(np.float32), triangles, view, view_grid(view, size))


def test_a_view_in_its_own_pixels_has_whole_coordinates():
    grid = view_grid(Square(-3, 5, 8), 8)
    assert grid.shape == (8, 8, 2)
    np.testing.assert_allclose(grid[0, 0], [-3, 5], atol=1e-6)
    np.testing.assert_allclose(grid[2, 7], [4, 7], atol=1e-6)


@pytest.mark.parametrize("size", [64, 32])
def test_a_shifted_mesh_looks_back_to_where_it_was(size):
    shift = np.array([6, -4, 0], np.float32)
    field = find_flow(SQUARE + shift, Square(0, 0, 64), size)
    assert field.displacement.shape == (size, size, 2) and field.triangle_index.shape == (size, size)
    is_on_mesh = field.triangle_index >= 0
    low, high = (SQUARE + shift)[0, :2], (SQUARE + shift)[2, :2]
    grid = view_grid(Square(0, 0, 64), size)
    np.testing.assert_array_equal(is_on_mesh, ((grid >= low) & (grid <= high)).all(-1))
    np.testing.assert_allclose(
        field.displacement[is_on_mesh], np.broadcast_to(-shift[:2], (is_on_mesh.sum(), 2)), atol=1e-4
    )
    assert not field.displacement[~is_on_mesh].any()


def test_a_mesh_at_rest_has_no_flow():
    field = find_flow(SQUARE, Square(0, 0, 64), 32)
    assert field.displacement.shape == (32, 32, 2)
    assert not field.displacement.any()


def test_a_view_elsewhere_sees_the_same_flow():
    moved = SQUARE * [1.2, 0.9, 1] + [1, 2, 0]
    whole = find_flow(moved, Square(0, 0, 64), 64)
    part = find_flow(moved, Square(8, 16, 32), 32)
    np.testing.assert_allclose(part.displacement, whole.displacement[16:48, 8:40], atol=1e-4)


def test_a_linear_field_stays_linear_when_upsampled():
    view = Square(0, 0, 48)
    fine = upsample(view_grid(view, 12), 48)
    assert fine.shape == (1, 2, 48, 48)
    inner = slice(2, -2)  # beyond the outermost grid points the field is constant
    np.testing.assert_allclose(fine[0].permute(1, 2, 0)[inner, inner], view_grid(view, 48)[inner, inner], atol=1e-4)


def test_sampling_is_bilinear_with_the_edges_repeated():
    picture = make_picture()
    rng = np.random.default_rng(0)
    places = (rng.random((6, 7, 2)) * [40, 30] - 5).astype(np.float32)
    found = sample(picture, torch.from_numpy(places)[None])
    assert found.shape == (1, 3, 6, 7)
    for channel in range(3):
        expected = map_coordinates(
            picture[0, channel].numpy(), [places[..., 1], places[..., 0]], order=1, mode="nearest"
        )
        np.testing.assert_allclose(found[0, channel], expected, atol=1e-4)


def test_triangles_name_vertices_that_exist():
    with pytest.raises(IndexError, match="out of bounds"):
        find_flow(SQUARE, Square(0, 0, 8), 8, np.array([[0, 1, 7]]))
