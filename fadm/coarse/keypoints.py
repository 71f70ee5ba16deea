"""Key points as sparse motion: how heatmaps become coordinates, relative motion and its scale.

Coordinates run from -1 to 1 between the centres of the outermost pixels, x first (then y, then depth).
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import ConvexHull, QhullError
from torch import Tensor

from fadm.errors import OptionError


@dataclass(frozen=True)
class Keypoints:
    """Key points of a batch: positions (B, K, D) in -1..1, jacobians (B, K, D, D) if there are any."""

    positions: Tensor
    jacobians: Tensor | None = None


def multiply(left: Tensor, right: Tensor) -> Tensor:
    """Matrix product (..., M, N) x (..., N, P) in float32, autocast or not.

    In bfloat16 a coordinate is only good to a pixel at the picture's edge.
    """
    with torch.autocast(left.device.type, enabled=False):
        return left.float() @ right.float()


def coordinate_grid(size: tuple[int, ...], *, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Coordinates of every pixel of a `([D,] H, W)` array -> ([D,] H, W, 2 or 3), x first, in -1..1."""
    axes = [torch.linspace(-1, 1, length, device=device, dtype=dtype) for length in size]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1)


def normalize_heatmap(logits: Tensor, temperature: float) -> Tensor:
    """Softmax over all pixels: (B, K, [D,] H, W) -> the same shape, float32, each map summing to 1."""
    return torch.softmax(logits.float().flatten(2) / temperature, dim=2).view(logits.shape)


def expect_positions(heatmap: Tensor) -> Tensor:
    """Mean coordinate under each map: (B, K, [D,] H, W) -> (B, K, 2 or 3) in -1..1."""
    size = tuple(heatmap.shape[2:])
    grid = coordinate_grid(size, device=heatmap.device, dtype=heatmap.dtype)
    return multiply(heatmap.flatten(2), grid.flatten(0, -2))


def draw_gaussians(positions: Tensor, size: tuple[int, ...], variance: float) -> Tensor:
    """Unnormalized Gaussians around key points: (B, K, D) -> (B, K, *size), 1 at the key point."""
    grid = coordinate_grid(size, device=positions.device, dtype=positions.dtype)
    centres = positions.view(*positions.shape[:2], *(1 for _ in size), -1)
    return torch.exp(-0.5 * (grid - centres).square().sum(-1) / variance)


def transfer_motion(
    source: Keypoints, driving: Keypoints, anchor: Keypoints, movement_scale: Tensor | float = 1.0
) -> Keypoints:
    """Move the source's key points as the driving ones moved since the anchor frame (FOMM section 3.4).

    Positions: source + movement_scale * (driving - anchor); jacobians: J_driving J_anchor^-1 J_source. The
    scale is one number or (B, 1, 1). Batches of one are repeated.
    """
    positions = source.positions + movement_scale * (driving.positions - anchor.positions)
    if source.jacobians is None or driving.jacobians is None or anchor.jacobians is None:
        return Keypoints(positions)
    change = torch.linalg.solve(anchor.jacobians, driving.jacobians, left=False)
    return Keypoints(positions, multiply(change, source.jacobians))


def measure_movement_scale(source: Tensor, anchor: Tensor) -> Tensor:
    """Size of the source's key points over the anchor's: two (B, K, D) -> (B, 1, 1).

    Size is the D-th root of the convex hull's area or volume. Raises OptionError if the points of a frame
    lie on one line or plane.
    """
    return _hull_size(source) / _hull_size(anchor)


def _hull_size(positions: Tensor) -> Tensor:
    dims = positions.shape[-1]
    try:
        volumes = [ConvexHull(points).volume for points in positions.detach().float().cpu().numpy()]
    except QhullError as error:
        raise OptionError(
            "the key points of a frame lie on one line or plane, so they have no size to compare: "
            "switch the adaptation of the movement's scale off"
        ) from error
    return torch.from_numpy(np.array(volumes) ** (1 / dims)).to(positions).view(-1, 1, 1)
