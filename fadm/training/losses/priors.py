"""Priors on Face vid2vid's key points: their places, the head pose and the expression (its appendix)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fadm.coarse.face_vid2vid.head_pose import HeadPose


def measure_crowding(positions: Tensor, distance: float) -> Tensor:
    """Measure how close key points are: sum over pairs i != j of max(0, distance - |x_i - x_j|^2).

    Args:
        positions: Key points (B, K, 3).
        distance: The squared distance that they should keep.

    Returns:
        The mean over the batch, a scalar.
    """
    squares = (positions.unsqueeze(2) - positions.unsqueeze(1)).square().sum(-1)  # (B, K, K)
    others = 1 - torch.eye(positions.shape[1], device=positions.device)
    return (F.relu(distance - squares) * others).sum(dim=(1, 2)).mean()


def measure_depth_error(positions: Tensor, depth: float) -> Tensor:
    """Measure |mean z - depth|.

    Args:
        positions: Key points (B, K, 3).
        depth: The mean z that they should have.

    Returns:
        The mean over the batch, a scalar.
    """
    return (positions[..., 2].mean(dim=1) - depth).abs().mean()


def measure_pose_error(pose: HeadPose, angles: Tensor) -> Tensor:
    """Measure the absolute errors of yaw, pitch and roll, summed.

    Args:
        pose: The estimated pose of the head, each angle (B,) in degrees.
        angles: The true yaw, pitch and roll (B, 3) in degrees.

    Returns:
        The mean over the batch, a scalar.
    """
    estimated = torch.stack([pose.yaw, pose.pitch, pose.roll], dim=1)
    return (estimated - angles).abs().sum(dim=1).mean()


def measure_expression(expression: Tensor) -> Tensor:
    """Measure the L1 norm of the expression.

    Args:
        expression: Shifts of the key points (B, K, 3).

    Returns:
        The mean over the batch, a scalar.
    """
    return expression.abs().sum(dim=(1, 2)).mean()
