"""Alignment of faces in the picture's plane, by scale, rotation and shift."""

import torch
import torch.nn.functional as F
from torch import Tensor


def fit_similarity(points: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Fit target ~ matrix points + shift by least squares.

    With scale and angle as one complex number z: z = sum(conj(p) q) / sum(|p|^2) of the centred points.

    Args:
        points: Points (B, N, 2).
        target: Points (B, N, 2) that they should be mapped to.

    Returns:
        Matrix (B, 2, 2) and shift (B, 2).
    """
    center, target_center = points.mean(dim=1), target.mean(dim=1)
    p = torch.view_as_complex((points - center[:, None]).contiguous())
    q = torch.view_as_complex((target - target_center[:, None]).contiguous())
    z = (p.conj() * q).sum(dim=1) / p.abs().square().sum(dim=1)
    matrix = torch.stack([torch.stack([z.real, -z.imag], dim=1), torch.stack([z.imag, z.real], dim=1)], dim=1)
    return matrix, target_center - torch.einsum("bij,bj->bi", matrix, center)


def warp_by_similarity(
    pictures: Tensor, matrix: Tensor, shift: Tensor, size: tuple[int, int], *, outside: str = "border"
) -> Tensor:
    """Warp pictures bilinearly: pixel p of the result shows the place matrix p + shift.

    Args:
        pictures: Pictures (B, C, H, W).
        matrix: Matrices (B, 2, 2).
        shift: Shifts (B, 2) in pixels; the centres of pixels have whole coordinates.
        size: Height and width of the new pictures.
        outside: `border` repeats the edges, `zeros` is black.

    Returns:
        The new pictures (B, C, *size). Where matrix or shift is NaN, they show the middle of the picture.
    """
    y, x = torch.meshgrid(*(torch.arange(n).to(pictures) for n in size), indexing="ij")
    pixels = torch.stack([x, y], dim=-1)  # (h, w, 2)
    places = torch.einsum("bij,hwj->bhwi", matrix, pixels) + shift[:, None, None]  # (B, h, w, 2)
    extent = torch.tensor([pictures.shape[3], pictures.shape[2]]).to(pictures)
    grid = ((2 * places + 1) / extent - 1).nan_to_num()
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode=outside, align_corners=False)
