"""What keeps Face vid2vid's key points sensible: priors on places, head pose and expression (its appendix)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fadm.coarse.face_vid2vid.head_pose import HeadPose


def measure_crowding(positions: Tensor, distance: float) -> Tensor:
    """sum over pairs i != j of max(0, distance - |x_i - x_j|^2), mean over the batch: (B, K, 3) -> a scalar."""
    squares = (positions.unsqueeze(2) - positions.unsqueeze(1)).square().sum(-1)  # (B, K, K)
    others = 1 - torch.eye(positions.shape[1], device=positions.device)
    return (F.relu(distance - squares) * others).sum(dim=(1, 2)).mean()


def measure_depth_error(positions: Tensor, depth: float) -> Tensor:
    """|mean z - depth|, mean over the batch: (B, K, 3) -> a scalar."""
    return (positions[..., 2].mean(dim=1) - depth).abs().mean()


def measure_pose_error(pose: HeadPose, angles: Tensor) -> Tensor:
    """Absolute errors of yaw, pitch and roll against `angles (B, 3)` in degrees, summed, mean over the batch."""
    estimated = torch.stack([pose.yaw, pose.pitch, pose.roll], dim=1)
    return (estimated - angles).abs().sum(dim=1).mean()


def measure_expression(expression: Tensor) -> Tensor:
    """L1 norm of the expression's shifts (B, K, 3), mean over the batch."""
    return expression.abs().sum(dim=(1, 2)).mean()
