"""Rotations as axis-angle vectors and matrices, and the similarity between two point sets."""

import torch
from torch import Tensor


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """Convert rotations by Rodrigues' formula.

    Args:
        axis_angle: Rotations (..., 3): axis times angle in radians.

    Returns:
        Rotation matrices (..., 3, 3).
    """
    angle = axis_angle.norm(dim=-1, keepdim=True).clamp(min=1e-8)[..., None]
    cross = cross_matrix(axis_angle) / angle
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + angle.sin() * cross + (1 - angle.cos()) * cross @ cross


def matrix_to_axis_angle(rotation: Tensor) -> Tensor:
    """Invert `axis_angle_to_matrix` for angles below pi.

    Args:
        rotation: Rotation matrices (..., 3, 3).

    Returns:
        Rotations (..., 3): axis times angle in radians.
    """
    trace = rotation.diagonal(dim1=-2, dim2=-1).sum(-1)
    angle = ((trace - 1) / 2).clamp(-1, 1).acos()[..., None]
    odd = (rotation - rotation.transpose(-1, -2)) / 2
    axis_sine = torch.stack([odd[..., 2, 1], odd[..., 0, 2], odd[..., 1, 0]], dim=-1)
    return axis_sine / torch.sinc(angle / torch.pi)


def cross_matrix(vector: Tensor) -> Tensor:
    """Build the matrix m of the cross product: m @ p = vector x p.

    Args:
        vector: Vectors (..., 3).

    Returns:
        Matrices (..., 3, 3).
    """
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def fit_similarity(points: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Fit target ~ scale * rotation @ points + translation by least squares.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns", 1991.

    Args:
        points: Points (B, N, 3).
        target: Points that they are carried to (B, N, 3).

    Returns:
        Scale (B,), rotation (B, 3, 3) and translation (B, 3).
    """
    center, target_center = points.mean(1, keepdim=True), target.mean(1, keepdim=True)
    points, target = points - center, target - target_center
    u, singular, vh = torch.linalg.svd(target.transpose(1, 2) @ points)
    sign = torch.ones_like(singular)
    sign[:, 2] = torch.det(u @ vh).sign()  # a rotation, never a reflection
    rotation = (u * sign[:, None]) @ vh
    scale = (singular * sign).sum(1) / points.square().sum((1, 2))
    translation = target_center[:, 0] - scale[:, None] * (rotation @ center.transpose(1, 2))[..., 0]
    return scale, rotation, translation
