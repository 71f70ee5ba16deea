import pytest
import torch
from torch import nn

from fadm.coarse.keypoints import Keypoints, coordinate_grid
from fadm.coarse.layers import Hourglass
from fadm.coarse.motion import DenseMotion, approximate_motions, occlude, warp

CPU = torch.device("cpu")


def make_dense_motion(dims: int, *, has_occlusion_map: bool = True) -> DenseMotion:
    torch.manual_seed(0)
    hourglass = Hourglass(dims, (4 + 1) * (3 + 1), width=4, max_channels=8, num_blocks=2)
    return DenseMotion(
        dims,
        4,
        nn.Identity(),
        hourglass,
        hourglass.out_channels,
        depth=2 if dims == 3 else 1,
        has_occlusion_map=has_occlusion_map,
    ).eval()


def test_motion_around_a_key_point_is_affine():
    source = Keypoints(torch.tensor([[[0.3, -0.2]]]), torch.tensor([[[[1.0, 0.5], [0.0, 2.0]]]]))
    driving = Keypoints(torch.tensor([[[-0.1, 0.4]]]), torch.tensor([[[[0.5, 0.0], [0.1, 1.0]]]]))
    motions = approximate_motions(source, driving, (3, 5))
    assert motions.shape == (1, 2, 3, 5, 2)
    grid = coordinate_grid((3, 5), device=CPU, dtype=torch.float32)
    torch.testing.assert_close(motions[0, 0], grid)
    change = source.jacobians[0, 0] @ torch.linalg.inv(driving.jacobians[0, 0])
    expected = source.positions[0, 0] + change @ (grid[1, 4] - driving.positions[0, 0])
    torch.testing.assert_close(motions[0, 1, 1, 4], expected)


def test_motion_without_jacobians_is_a_translation():
    source, driving = Keypoints(torch.rand(1, 3, 3)), Keypoints(torch.rand(2, 3, 3))
    motions = approximate_motions(source, driving, (2, 4, 6))
    grid = coordinate_grid((2, 4, 6), device=CPU, dtype=torch.float32)
    shift = (source.positions - driving.positions)[1, 2]
    torch.testing.assert_close(motions[1, 3], grid + shift)


@pytest.mark.parametrize("size", [(6, 10), (4, 6, 10)])
def test_warp_samples_between_pixel_edges(size):
    features = torch.rand(1, 2, *size, generator=torch.Generator().manual_seed(0))
    grid = coordinate_grid(size, device=CPU, dtype=torch.float32)
    edges = torch.tensor([(length - 1) / length for length in size[::-1]])
    flow = (grid * edges).expand(3, *grid.shape)
    torch.testing.assert_close(warp(features, flow), features.expand(3, *features.shape[1:]))


@pytest.mark.parametrize(("dims", "layout"), [(2, torch.channels_last), (3, torch.channels_last_3d)])
def test_warp_keeps_the_memory_layout(dims, layout):
    features = torch.rand(2, 3, *(4,) * dims)
    flow = torch.zeros(2, *(4,) * dims, dims)
    assert warp(features, flow).is_contiguous()
    assert warp(features.contiguous(memory_format=layout), flow).is_contiguous(memory_format=layout)


def test_warp_resizes_the_flow_and_keeps_the_features_dtype():
    features = torch.ones(1, 2, 16, 16, dtype=torch.bfloat16)
    warped = warp(features, torch.zeros(2, 4, 4, 2))
    assert warped.shape == (2, 2, 16, 16)
    assert warped.dtype == torch.bfloat16
    assert (warped == 1).all()


def test_occlusion_dims_the_features():
    features = torch.full((1, 2, 4, 4), 3.0)
    assert (occlude(features, torch.full((1, 1, 2, 2), 0.5)) == 1.5).all()
    assert occlude(features, None) is features


@pytest.mark.parametrize("dims", [2, 3])
def test_dense_motion_mixes_by_shares(dims):
    size = (2, 8, 12)[3 - dims :]
    features = torch.rand(1, 3, *size)
    source, driving = Keypoints(torch.rand(1, 4, dims) - 0.5), Keypoints(torch.rand(2, 4, dims) - 0.5)
    with torch.inference_mode():
        motion = make_dense_motion(dims)(features, source, driving)
    assert motion.deformation.shape == (2, *size, dims)
    assert motion.occlusion_map is not None and motion.occlusion_map.shape == (2, 1, 8, 12)
    torch.testing.assert_close(motion.mask.sum(1), torch.ones(2, *size))


def test_dense_motion_between_equal_key_points_is_rest():
    keypoints = Keypoints(torch.rand(1, 4, 2) - 0.5)
    with torch.inference_mode():
        motion = make_dense_motion(2, has_occlusion_map=False)(torch.rand(1, 3, 8, 8), keypoints, keypoints)
    assert motion.occlusion_map is None
    grid = coordinate_grid((8, 8), device=CPU, dtype=torch.float32)
    torch.testing.assert_close(motion.deformation[0], grid, atol=1e-6, rtol=0)


def test_dense_motion_refuses_key_points_of_another_number():
    keypoints = Keypoints(torch.zeros(1, 5, 2))
    with pytest.raises(RuntimeError, match="to have 20 channels, but got 24"):
        make_dense_motion(2)(torch.rand(1, 3, 8, 8), keypoints, keypoints)
