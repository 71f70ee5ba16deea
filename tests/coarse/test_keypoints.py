import pytest
import torch

from fadm.coarse.keypoints import (
    Keypoints,
    coordinate_grid,
    draw_gaussians,
    expect_positions,
    measure_movement_scale,
    multiply,
    normalize_heatmap,
    transfer_motion,
)
from fadm.errors import OptionError


def make_keypoints(seed: int, batch: int = 2) -> Keypoints:
    generator = torch.Generator().manual_seed(seed)
    positions = torch.rand(batch, 5, 2, generator=generator) - 0.5
    jacobians = torch.eye(2) + 0.2 * torch.randn(batch, 5, 2, 2, generator=generator)
    return Keypoints(positions, jacobians)


def test_grid_has_x_first_and_aligned_corners():
    grid = coordinate_grid((3, 2, 5), device=torch.device("cpu"), dtype=torch.float32)
    assert grid.shape == (3, 2, 5, 3)
    assert grid[1, 0, 3].tolist() == [0.5, -1.0, 0.0]


def test_a_sharp_heatmap_gives_its_peak():
    logits = torch.zeros(1, 1, 4, 9, 5)
    logits[0, 0, 3, 2, 1] = 10
    heatmap = normalize_heatmap(logits, temperature=0.1)
    torch.testing.assert_close(heatmap.sum(), torch.tensor(1.0))
    torch.testing.assert_close(expect_positions(heatmap), torch.tensor([[[-0.5, -0.5, 1.0]]]))


def test_gaussians_are_one_at_the_key_point():
    gaussians = draw_gaussians(torch.tensor([[[0.0, 0.5]]]), (5, 3), variance=0.25)
    assert gaussians.shape == (1, 1, 5, 3)
    assert gaussians[0, 0, 3, 1] == 1
    torch.testing.assert_close(gaussians[0, 0, 1, 1], torch.tensor(-2.0).exp())


def test_products_stay_in_float32_under_autocast():
    left, right = torch.rand(3, 4), torch.rand(4, 2)
    with torch.autocast("cpu", torch.bfloat16):
        product = multiply(left, right)
    assert torch.equal(product, left @ right)


def test_relative_motion_of_a_resting_driver_is_the_source():
    source, driving = make_keypoints(0), make_keypoints(1)
    moved = transfer_motion(source, driving, anchor=driving, movement_scale=torch.full((2, 1, 1), 1.7))
    torch.testing.assert_close(moved.positions, source.positions)
    torch.testing.assert_close(moved.jacobians, source.jacobians, atol=1e-5, rtol=1e-4)


def test_relative_motion_anchored_at_the_source_is_absolute():
    source, driving = make_keypoints(0), make_keypoints(1)
    moved = transfer_motion(source, driving, anchor=source)
    torch.testing.assert_close(moved.positions, driving.positions)
    torch.testing.assert_close(moved.jacobians, driving.jacobians, atol=1e-5, rtol=1e-4)


def test_one_source_and_anchor_serve_a_batch():
    source, anchor = make_keypoints(0, batch=1), make_keypoints(1, batch=1)
    driving = make_keypoints(2, batch=3)
    moved = transfer_motion(source, driving, anchor, movement_scale=2.0)
    expected = source.positions + 2 * (driving.positions - anchor.positions)
    torch.testing.assert_close(moved.positions, expected)
    change = driving.jacobians[2] @ torch.linalg.inv(anchor.jacobians[0])
    torch.testing.assert_close(moved.jacobians[2], change @ source.jacobians[0], atol=1e-5, rtol=1e-4)


def test_movement_scale_is_the_ratio_of_sizes():
    for dims in (2, 3):
        corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * dims)
        inside = torch.full((1, dims), 0.5)
        small = torch.cat([corners, inside]).expand(2, -1, -1)
        sizes = torch.tensor([3.0, 0.5]).view(2, 1, 1)
        torch.testing.assert_close(measure_movement_scale(small * sizes, small), sizes)


def test_key_points_on_a_line_have_no_scale():
    line = torch.linspace(0, 1, 5).view(1, 5, 1).expand(1, 5, 2)
    with pytest.raises(OptionError, match="one line or plane"):
        measure_movement_scale(line, line)
