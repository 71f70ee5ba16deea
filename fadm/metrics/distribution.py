"""Distances between two sets of pictures: Frechet distance and KID on any features (N, D)."""

import torch
from torch import Tensor

from fadm.errors import MetricError

FRECHET_NAME = "frechet_efficientnet_lite0"
KERNEL_NAME = "kid_efficientnet_lite0"
FID_NAME, KID_NAME = "fid_inception", "kid_inception"


def frechet_distance(features_a: Tensor, features_b: Tensor) -> float:
    """Squared Frechet distance between the Gaussians that fit two sets (Heusel et al., arXiv 1706.08500, eq. 6).

    On Inception's features it is FID. Few samples bias it upwards: compare only sets of the same size.

    Args:
        features_a: Features (N, D) of one set.
        features_b: Features (M, D) of the other.

    Returns:
        The squared distance, at least 0.

    Raises:
        MetricError: A set has fewer than two samples.
    """
    _check(features_a, features_b)
    a, b = features_a.double(), features_b.double()
    return gaussian_distance(a.mean(dim=0), a.T.cov(), b.mean(dim=0), b.T.cov())


def gaussian_distance(mean_a: Tensor, covariance_a: Tensor, mean_b: Tensor, covariance_b: Tensor) -> float:
    """Squared Frechet distance between two Gaussians: |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)).

    The last trace is that of (C_a^(1/2) C_b C_a^(1/2))^(1/2), a symmetric matrix: real, and defined for singular ones.

    Args:
        mean_a: Mean (D,) of one.
        covariance_a: Covariance (D, D) of one.
        mean_b: Mean (D,) of the other.
        covariance_b: Covariance (D, D) of the other.

    Returns:
        The squared distance, at least 0.
    """
    values, vectors = torch.linalg.eigh(covariance_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    product = torch.linalg.eigvalsh(root @ covariance_b @ root).clamp(min=0).sqrt().sum()
    distance = (mean_a - mean_b).square().sum() + covariance_a.trace() + covariance_b.trace() - 2 * product
    return max(distance.item(), 0.0)


def kernel_distance(features_a: Tensor, features_b: Tensor) -> float:
    """KID: squared maximum mean discrepancy with the kernel (x.y / D + 1)^3.

    Binkowski et al., arXiv 1801.01401, section 4: the unbiased estimate, here over all samples at once.

    Args:
        features_a: Features (N, D) of one set.
        features_b: Features (M, D) of the other.

    Returns:
        The estimate, about 0 for sets of the same distribution; it may be negative.

    Raises:
        MetricError: A set has fewer than two samples.
    """
    _check(features_a, features_b)
    a, b = features_a.double(), features_b.double()
    return (_mean_of_pairs(a) + _mean_of_pairs(b) - 2 * _kernel(a, b).mean()).item()


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** 3


def _mean_of_pairs(a: Tensor) -> Tensor:
    """Mean of the kernel over pairs of different samples."""
    kernel = _kernel(a, a)
    return (kernel.sum() - kernel.trace()) / (len(a) * (len(a) - 1))


def _check(features_a: Tensor, features_b: Tensor) -> None:
    smallest = min(len(features_a), len(features_b))
    if smallest < 2:
        raise MetricError(f"the distance of two sets needs at least 2 pictures in each, {smallest} given")
