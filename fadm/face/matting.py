"""Mattes: how much of each pixel is the person, refined from a coarse mask along the picture's own edges."""

import torch
import torch.nn.functional as F
from torch import Tensor

RADIUS = 3  # of the windows in which the matte is a linear function of the colour, in pixels of the mask
SMOOTHNESS = 1e-3  # variance of colour below which a window counts as even
CERTAIN = (0.2, 0.8)  # probabilities of the mask below and above which it is believed


def refine_matte(picture: Tensor, mask: Tensor) -> Tensor:
    """Refine a coarse mask by the picture (He et al., "Guided Image Filtering", 2013; colours guide, fast variant).

    Args:
        picture: The picture (1, 3, S, S) in [0, 1].
        mask: Probability of the person (1, 1, P, P) over the same square, P at most S.

    Returns:
        Share of the person in each pixel (1, 1, S, S) in [0, 1].
    """
    size, side = mask.shape[-1], picture.shape[-1]
    low, high = CERTAIN
    mask = ((mask - low) / (high - low)).clamp(0, 1)
    guide = F.interpolate(picture, (size, size), mode="bilinear", align_corners=False, antialias=True)
    means = _mean(torch.cat([guide, mask, guide * mask, _products(guide)], 1))
    colour, share, joint, square = means.split([3, 1, 3, 6], 1)
    covariance = (joint - colour * share)[0].permute(1, 2, 0)  # (P, P, 3)
    spread = (square - _products(colour))[0].permute(1, 2, 0)
    matrix = spread[..., [0, 1, 2, 1, 3, 4, 2, 4, 5]].unflatten(-1, (3, 3))
    slope = _solve(matrix + SMOOTHNESS * torch.eye(3, device=matrix.device), covariance).permute(2, 0, 1)[None]
    offset = share - (slope * colour).sum(1, keepdim=True)
    linear = F.interpolate(_mean(torch.cat([slope, offset], 1)), (side, side), mode="bilinear", align_corners=False)
    return ((linear[:, :3] * picture).sum(1, keepdim=True) + linear[:, 3:]).clamp(0, 1)


def _solve(matrix: Tensor, right: Tensor) -> Tensor:
    """Solve symmetric systems (..., 3, 3) for right sides (..., 3) by Cramer's rule."""
    first, second, third = matrix.unbind(-2)
    crosses = [torch.linalg.cross(a, b) for a, b in ((second, third), (third, first), (first, second))]
    determinant = (first * crosses[0]).sum(-1, keepdim=True)
    return (torch.stack(crosses, -1) * right[..., None, :]).sum(-1) / determinant


def _mean(values: Tensor) -> Tensor:
    """Mean over square windows, of what lies inside the picture."""
    width = 2 * RADIUS + 1
    return F.avg_pool2d(values, width, stride=1, padding=RADIUS, count_include_pad=False)


def _products(colours: Tensor) -> Tensor:
    """Products of colours (1, 3, H, W): rr, rg, rb, gg, gb, bb (1, 6, H, W)."""
    first, second = [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]
    return colours[:, first] * colours[:, second]
