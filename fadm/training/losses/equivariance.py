"""Key points must move as the picture does: random thin-plate deformations (FOMM section 3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from fadm.coarse.keypoints import Keypoints, coordinate_grid, multiply
from fadm.device import seeded_generator

STREAM = 1  # beside a sample's seed, so that what else is drawn from that seed is independent of its deformation
EPS = 1e-6


@dataclass(frozen=True, kw_only=True)
class DeformationConfig:
    """How strong a random deformation is; the defaults are the released training's.

    sigma_affine: standard deviation of the six numbers of the affine part, around the identity. sigma_tps: of the
    weights of the radial functions, which stand on a points_tps x points_tps grid over the picture.
    """

    sigma_affine: float = 0.05
    sigma_tps: float = 0.005
    points_tps: int = 5


@dataclass(frozen=True)
class Deformation:
    """T(z) = A z + t + sum_n w_n U(|z - c_n|) with U(r) = r^2 log r, one for each sample of a batch.

    affine (B, 2, 3): A beside t; centres (N, 2); weights (B, N, 2). Coordinates are in -1..1, x first. The
    deformed picture shows at z what the picture shows at T(z).
    """

    affine: Tensor
    centres: Tensor
    weights: Tensor

    def move(self, points: Tensor) -> Tensor:
        """T of points (B or 1, P, 2) -> (B, P, 2); differentiable in the points."""
        squares = (points.unsqueeze(-2) - self.centres).square().sum(-1)  # (B, P, N)
        radial = 0.5 * squares * torch.log(squares + EPS)
        linear, shift = self.affine[..., :2], self.affine[..., 2].unsqueeze(1)
        return multiply(points, linear.transpose(1, 2)) + shift + multiply(radial, self.weights)

    def jacobians(self, points: Tensor) -> Tensor:
        """Derivatives of `move` at points (B or 1, P, 2) -> (B, P, 2, 2), row i that of T's coordinate i."""
        offsets = points.unsqueeze(-2) - self.centres  # (B, P, N, 2)
        squares = offsets.square().sum(-1, keepdim=True)
        slopes = offsets * (torch.log(squares + EPS) + squares / (squares + EPS))
        return self.affine[:, None, :, :2] + multiply(self.weights.transpose(1, 2).unsqueeze(1), slopes)

    def apply(self, picture: Tensor) -> Tensor:
        """Deform pictures (B, C, H, W) -> the same shape; what lies outside is the picture's reflection."""
        grid = coordinate_grid((picture.shape[2], picture.shape[3]), device=picture.device, dtype=torch.float32)
        places = self.move(grid.view(1, -1, 2)).view(-1, *grid.shape)
        return F.grid_sample(
            picture.float(), places, mode="bilinear", padding_mode="reflection", align_corners=True
        ).to(picture.dtype)


def draw_deformation(seeds: Sequence[int], config: DeformationConfig, device: torch.device) -> Deformation:
    """One deformation for each seed, whatever the others are."""
    centres = coordinate_grid((config.points_tps,) * 2, device=device, dtype=torch.float32).reshape(-1, 2)
    affine, weights = [], []
    for seed in seeds:
        generator = seeded_generator(seed, STREAM)
        affine.append(torch.eye(2, 3) + config.sigma_affine * torch.randn(2, 3, generator=generator))
        weights.append(config.sigma_tps * torch.randn(len(centres), 2, generator=generator))
    return Deformation(torch.stack(affine).to(device), centres, torch.stack(weights).to(device))


def measure_position_error(positions: Tensor, deformed: Tensor, deformation: Deformation) -> Tensor:
    """Mean |p - T(p')| over a picture's key points p (B, K, 2) and its deformation's p', a scalar."""
    return (positions - deformation.move(deformed)).abs().mean()


def measure_jacobian_error(keypoints: Keypoints, deformed: Keypoints, deformation: Deformation) -> Tensor:
    """Mean |1 - J^-1 T'(p') J'| over the key points of a picture and of its deformation, a scalar."""
    assert keypoints.jacobians is not None and deformed.jacobians is not None
    moved = multiply(deformation.jacobians(deformed.positions), deformed.jacobians)
    ratio = torch.linalg.solve(keypoints.jacobians, moved)
    return (torch.eye(2, device=ratio.device) - ratio).abs().mean()
