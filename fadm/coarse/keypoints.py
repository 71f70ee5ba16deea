"""Keypoints as sparse motion: from heatmaps to coordinates, relative motion and its scale.

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
    """Keypoints of a batch.

    Attributes:
        positions: Coordinates (B, K, 2 or 3) in [-1, 1].
        jacobians: Local affine transformations (B, K, 2, 2), or None where the network predicts none.
    """

    positions: Tensor
    jacobians: Tensor | None = None


def multiply(left: Tensor, right: Tensor) -> Tensor:
    """Multiply matrices in float32, inside autocast too.

    In bfloat16 a coordinate is only good to a pixel at the picture's edge.

    Args:
        left: Matrices (..., M, N).
        right: Matrices (..., N, P).

    Returns:
        The products (..., M, P), float32.
    """
    with torch.autocast(left.device.type, enabled=False):
        return left.float() @ right.float()


def coordinate_grid(size: tuple[int, ...], *, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Make the coordinates of every pixel of an array.

    Args:
        size: Shape of the array, `([D,] H, W)`.
        device: Device of the result.
        dtype: Type of the result.

    Returns:
        Coordinates ([D,] H, W, 2 or 3), x first, in [-1, 1].
    """
    axes = [torch.linspace(-1, 1, length, device=device, dtype=dtype) for length in size]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1)


def normalize_heatmap(logits: Tensor, temperature: float) -> Tensor:
    """Turn logits into a distribution over all pixels by a softmax.

    Args:
        logits: One map per keypoint (B, K, [D,] H, W).
        temperature: Divisor of the logits; a smaller one gives sharper maps.

    Returns:
        Heatmaps of the same shape, float32, each with the sum 1.
    """
    return torch.softmax(logits.float().flatten(2) / temperature, dim=2).view(logits.shape)


def expect_positions(heatmap: Tensor) -> Tensor:
    """Take the mean coordinate under each heatmap.

    Args:
        heatmap: Distributions over pixels (B, K, [D,] H, W), as `normalize_heatmap` makes them.

    Returns:
        Positions (B, K, 2 or 3) in [-1, 1].
    """
    size = tuple(heatmap.shape[2:])
    grid = coordinate_grid(size, device=heatmap.device, dtype=heatmap.dtype)
    return multiply(heatmap.flatten(2), grid.flatten(0, -2))


def draw_gaussians(positions: Tensor, size: tuple[int, ...], variance: float) -> Tensor:
    """Draw an unnormalized Gaussian around each keypoint.

    Args:
        positions: Keypoints (B, K, D) in [-1, 1].
        size: Shape of one map, `([D,] H, W)`.
        variance: Variance of the Gaussians in squared coordinates.

    Returns:
        Maps (B, K, *size), 1 at the keypoint.
    """
    grid = coordinate_grid(size, device=positions.device, dtype=positions.dtype)
    centres = positions.view(*positions.shape[:2], *(1 for _ in size), -1)
    return torch.exp(-0.5 * (grid - centres).square().sum(-1) / variance)


def transfer_motion(
    source: Keypoints, driving: Keypoints, anchor: Keypoints, movement_scale: Tensor | float = 1.0
) -> Keypoints:
    """Move the source's keypoints as the driving ones moved since the anchor frame (FOMM section 3.4).

    Positions become source + movement_scale * (driving - anchor), jacobians J_driving J_anchor^-1 J_source.

    Args:
        source: Keypoints of the source. A batch of one serves any number of driving frames.
        driving: Keypoints of the driving frames.
        anchor: Keypoints of the driving frame that shows the source's pose.
        movement_scale: Factor of the movements, a number or (B, 1, 1).

    Returns:
        Keypoints of the frames to generate; without jacobians if any of the three has none.
    """
    positions = source.positions + movement_scale * (driving.positions - anchor.positions)
    if source.jacobians is None or driving.jacobians is None or anchor.jacobians is None:
        return Keypoints(positions)
    change = torch.linalg.solve(anchor.jacobians, driving.jacobians, left=False)
    return Keypoints(positions, multiply(change, source.jacobians))


def measure_movement_scale(source: Tensor, anchor: Tensor) -> Tensor:
    """Compare the size of the source's keypoints with that of the anchor's.

    Size is the D-th root of the convex hull's area or volume.

    Args:
        source: Positions (B, K, D) of the source's keypoints.
        anchor: Positions (B, K, D) of the keypoints of the anchor frame.

    Returns:
        Size of the source over size of the anchor (B, 1, 1).

    Raises:
        OptionError: The points of a frame lie on one line or plane.
    """
    return _hull_size(source) / _hull_size(anchor)


def _hull_size(positions: Tensor) -> Tensor:
    dims = positions.shape[-1]
    try:
        volumes = [ConvexHull(points).volume for points in positions.detach().float().cpu().numpy()]
    except QhullError as error:
        raise OptionError(
            "the keypoints of a frame lie on one line or plane, so they have no size to compare: "
            "switch the adaptation of the movement's scale off"
        ) from error
    return torch.from_numpy(np.array(volumes) ** (1 / dims)).to(positions).view(-1, 1, 1)
