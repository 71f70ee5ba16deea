"""Equivariance losses: key points must move as the picture does, under random thin-plate deformations (FOMM 3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from fadm.coarse.keypoints import Keypoints, coordinate_grid, multiply
from fadm.device import seeded_generator

STREAM = 1  # beside a sample's seed, so that its deformation is independent of what else is drawn from that seed
EPS = 1e-6


@dataclass(frozen=True, kw_only=True)
class DeformationConfig:
    """How strong a random deformation is; the defaults are the released training's.

    Attributes:
        sigma_affine: Standard deviation of the six numbers of the affine part, around the identity.
        sigma_tps: Standard deviation of the weights of the radial functions.
        points_tps: The radial functions stand on a grid of points_tps x points_tps over the picture.
    """

    sigma_affine: float = 0.05
    sigma_tps: float = 0.005
    points_tps: int = 5


@dataclass(frozen=True)
class Deformation:
    """T(z) = A z + t + sum_n w_n U(|z - c_n|) with U(r) = r^2 log r, one for each sample of a batch.

    Coordinates are in -1..1, x first. The deformed picture shows at z what the picture shows at T(z).

    Attributes:
        affine: A beside t (B, 2, 3).
        centres: The points c_n (N, 2).
        weights: The weights w_n (B, N, 2).
    """

    affine: Tensor
    centres: Tensor
    weights: Tensor

    def move(self, points: Tensor) -> Tensor:
        """Compute T, differentiably.

        Args:
            points: Points z (B or 1, P, 2).

        Returns:
            T(z) (B, P, 2).
        """
        squares = (points.unsqueeze(-2) - self.centres).square().sum(-1)  # (B, P, N)
        radial = 0.5 * squares * torch.log(squares + EPS)
        linear, shift = self.affine[..., :2], self.affine[..., 2].unsqueeze(1)
        return multiply(points, linear.transpose(1, 2)) + shift + multiply(radial, self.weights)

    def jacobians(self, points: Tensor) -> Tensor:
        """Compute the derivatives of T.

        Args:
            points: Points z (B or 1, P, 2).

        Returns:
            T'(z) (B, P, 2, 2), row i that of T's coordinate i.
        """
        offsets = points.unsqueeze(-2) - self.centres  # (B, P, N, 2)
        squares = offsets.square().sum(-1, keepdim=True)
        slopes = offsets * (torch.log(squares + EPS) + squares / (squares + EPS))
        return self.affine[:, None, :, :2] + multiply(self.weights.transpose(1, 2).unsqueeze(1), slopes)

    def apply(self, picture: Tensor) -> Tensor:
        """Deform pictures; beyond its edges a picture is reflected.

        Args:
            picture: Pictures (B, C, H, W).

        Returns:
            The deformed pictures (B, C, H, W).
        """
        grid = coordinate_grid((picture.shape[2], picture.shape[3]), device=picture.device, dtype=torch.float32)
        places = self.move(grid.view(1, -1, 2)).view(-1, *grid.shape)
        return F.grid_sample(
            picture.float(), places, mode="bilinear", padding_mode="reflection", align_corners=True
        ).to(picture.dtype)


def draw_deformation(seeds: Sequence[int], config: DeformationConfig, device: torch.device) -> Deformation:
    """Draw a random deformation for each sample, each from its own seed.

    Args:
        seeds: The samples' seeds, from 0.
        config: How strong the deformations are.
        device: Where they are applied.

    Returns:
        The deformations.

    Raises:
        OptionError: A seed is negative.
    """
    centres = coordinate_grid((config.points_tps,) * 2, device=device, dtype=torch.float32).reshape(-1, 2)
    affine, weights = [], []
    for seed in seeds:
        generator = seeded_generator(seed, STREAM)
        affine.append(torch.eye(2, 3) + config.sigma_affine * torch.randn(2, 3, generator=generator))
        weights.append(config.sigma_tps * torch.randn(len(centres), 2, generator=generator))
    return Deformation(torch.stack(affine).to(device), centres, torch.stack(weights).to(device))


def measure_position_error(positions: Tensor, deformed: Tensor, deformation: Deformation) -> Tensor:
    """Measure |p - T(p')|.

    Args:
        positions: Key points p of the pictures (B, K, 2).
        deformed: Key points p' of the deformed pictures (B, K, 2).
        deformation: T.

    Returns:
        The mean, a scalar.
    """
    return (positions - deformation.move(deformed)).abs().mean()


def measure_jacobian_error(keypoints: Keypoints, deformed: Keypoints, deformation: Deformation) -> Tensor:
    """Measure |1 - J^-1 T'(p') J'|.

    Args:
        keypoints: Key points of the pictures, with Jacobians J.
        deformed: Key points p' of the deformed pictures, with Jacobians J'.
        deformation: T.

    Returns:
        The mean, a scalar.
    """
    assert keypoints.jacobians is not None and deformed.jacobians is not None
    moved = multiply(deformation.jacobians(deformed.positions), deformed.jacobians)
    ratio = torch.linalg.solve(keypoints.jacobians, moved)
    return (torch.eye(2, device=ratio.device) - ratio).abs().mean()
