from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from fadm.coarse.keypoints import Keypoints, draw_gaussians, expect_positions
from fadm.errors import OptionError
from fadm.training.losses.equivariance import (
    Deformation,
    DeformationConfig,
    draw_deformation,
    measure_jacobian_error,
    measure_position_error,
)

CPU = torch.device("cpu")
IDENTITY = torch.eye(2, 3)[None]
BLOBS = torch.tensor([[[-0.2, -0.3], [0.3, -0.1], [0.0, 0.4]], [[0.1, -0.4], [0.4, 0.2], [-0.3, 0.1]]])
AFFINE_ALONE = DeformationConfig(sigma_tps=0.0)


def make_affine(affine: Tensor) -> Deformation:
    return Deformation(affine, torch.zeros(1, 2), torch.zeros(len(affine), 1, 2))


def find_blobs(picture: Tensor) -> Keypoints:
    """Centres of mass of the three channels: exact for any affine deformation, as are their differences."""
    centres = expect_positions(picture / picture.sum(dim=(2, 3), keepdim=True))
    differences = torch.stack([centres[:, 1] - centres[:, 0], centres[:, 2] - centres[:, 0]], dim=-1)
    return Keypoints(centres, differences[:, None].expand(-1, 3, 2, 2))


def find_middle(picture: Tensor) -> Keypoints:
    """Stays where it is, whatever the picture shows."""
    return Keypoints(torch.full((len(picture), 3, 2), 0.5), torch.eye(2).expand(len(picture), 3, 2, 2))


def measure(find: Callable[[Tensor], Keypoints], config: DeformationConfig) -> tuple[float, float]:
    picture = draw_gaussians(BLOBS, (64, 64), 0.01)
    deformation = draw_deformation([1, 2], config, CPU)
    found, deformed = find(picture), find(deformation.apply(picture))
    position_error = measure_position_error(found.positions, deformed.positions, deformation)
    return position_error.item(), measure_jacobian_error(found, deformed, deformation).item()


def test_an_equivariant_detector_loses_nothing():
    position_error, jacobian_error = measure(find_blobs, AFFINE_ALONE)
    assert position_error < 2e-4  # bilinear sampling of the pixels; a pixel is 3e-2
    assert jacobian_error < 1e-3


def test_a_detector_that_does_not_follow_loses():
    position_error, jacobian_error = measure(find_middle, AFFINE_ALONE)
    assert position_error > 1e-2
    assert jacobian_error > 1e-2


def test_thin_plates_bend_more_than_an_affine_map():
    position_error, jacobian_error = measure(find_blobs, DeformationConfig(sigma_tps=0.02))
    assert position_error > 2e-4
    assert jacobian_error > 1e-3


def test_an_affine_map_in_closed_form():
    affine = torch.tensor([[[1.1, 0.2, 0.3], [0.0, 0.9, -0.1]]])
    points = torch.tensor([[[0.5, -1.0]]])
    deformation = make_affine(affine)
    torch.testing.assert_close(deformation.move(points), torch.tensor([[[0.65, -1.0]]]))
    torch.testing.assert_close(deformation.jacobians(points), affine[:, None, :, :2])


def test_a_radial_function_in_closed_form():
    deformation = Deformation(IDENTITY, torch.tensor([[0.5, 0.0]]), torch.tensor([[[2.0, -1.0]]]))
    r = torch.tensor(0.25)
    expected = torch.stack([0.25 + 2 * r**2 * r.log(), -(r**2) * r.log()])
    torch.testing.assert_close(deformation.move(torch.tensor([[[0.25, 0.0]]]))[0, 0], expected, atol=1e-5, rtol=0)


def test_jacobians_are_the_derivatives_of_the_motion():
    deformation = draw_deformation([3], DeformationConfig(sigma_tps=0.1), CPU)
    points = torch.tensor([[0.1, -0.7], [0.5, 0.5]])  # the second lies on a centre
    for point in points:
        expected = torch.autograd.functional.jacobian(lambda z: deformation.move(z.view(1, 1, 2)).view(2), point)
        torch.testing.assert_close(deformation.jacobians(point.view(1, 1, 2))[0, 0], expected, atol=1e-5, rtol=1e-4)


def test_the_jacobian_error_in_closed_form():
    positions = torch.zeros(1, 1, 2)
    found, deformed = (Keypoints(positions, (scale * torch.eye(2)).view(1, 1, 2, 2)) for scale in (2.0, 1.0))
    affine = torch.tensor([[[1.0, 0.5, 0.0], [0.0, 1.0, 0.0]]])
    error = measure_jacobian_error(found, deformed, make_affine(affine))
    assert error.item() == pytest.approx((0.5 + 0.25 + 0 + 0.5) / 4)  # of 1 - [[0.5, 0.25], [0, 0.5]]


def test_a_deformed_picture_shows_at_z_what_was_at_its_place():
    picture = torch.rand(1, 3, 9, 9)
    torch.testing.assert_close(make_affine(IDENTITY).apply(picture), picture)
    shift = IDENTITY + torch.tensor([[0, 0, 0.25], [0, 0, 0]])  # one pixel of eight steps
    torch.testing.assert_close(make_affine(shift).apply(picture)[..., :-1], picture[..., 1:])


def test_a_sample_is_deformed_by_its_own_seed():
    both, one = (draw_deformation(seeds, DeformationConfig(), CPU) for seeds in ([4, 9], [9]))
    points = torch.rand(1, 5, 2)
    torch.testing.assert_close(both.move(points)[1:], one.move(points))
    assert (both.move(points)[0] - both.move(points)[1]).abs().max() > 1e-3


def test_a_negative_seed_is_refused():
    with pytest.raises(OptionError, match="seed -1 is negative"):
        draw_deformation([-1], DeformationConfig(), CPU)
