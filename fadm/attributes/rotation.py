"""Rotations as axis-angle vectors and matrices, and the similarity that carries one point set to another."""

import torch
from torch import Tensor


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """Rodrigues' formula: axis_angle (..., 3) in radians -> rotation (..., 3, 3)."""
    angle = axis_angle.norm(dim=-1, keepdim=True).clamp(min=1e-8)[..., None]
    cross = cross_matrix(axis_angle) / angle
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + angle.sin() * cross + (1 - angle.cos()) * cross @ cross


def matrix_to_axis_angle(rotation: Tensor) -> Tensor:
    """Inverse of `axis_angle_to_matrix` for angles below pi: rotation (..., 3, 3) -> (..., 3)."""
    trace = rotation.diagonal(dim1=-2, dim2=-1).sum(-1)
    angle = ((trace - 1) / 2).clamp(-1, 1).acos()[..., None]
    odd = (rotation - rotation.transpose(-1, -2)) / 2
    axis_sine = torch.stack([odd[..., 2, 1], odd[..., 0, 2], odd[..., 1, 0]], dim=-1)
    return axis_sine / torch.sinc(angle / torch.pi)


def cross_matrix(vector: Tensor) -> Tensor:
    """The matrix of the cross product: vector (..., 3) -> (..., 3, 3) with m @ p = vector x p."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def fit_similarity(points: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Least-squares scale (B,), rotation (B, 3, 3), translation (B, 3) with target ~ scale R points + t.

    points, target (B, N, 3). Umeyama, Least-squares estimation of transformation parameters, 1991.
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
