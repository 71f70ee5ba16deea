"""Pixel metrics: L1, PSNR and SSIM of pictures (B, 3, H, W) in [0, 1], one number for each picture."""

import torch
from torch import Tensor

from fadm.errors import MetricError

WANG_SIZE, WANG_SIGMA, WANG_RANGE = 11, 1.5, 1.0
LEGACY_SIZE, LEGACY_RANGE = 7, 2.0
K1, K2 = 0.01, 0.03


def l1(a: Tensor, b: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean absolute difference over all pixels and colours.

    Args:
        a: Pictures (B, 3, H, W) in [0, 1].
        b: Pictures of the same shape.
        mask: Weights of the pixels (B, 1, H, W) in [0, 1], None for equal weights.

    Returns:
        Differences (B,) in [0, 1], NaN where a mask is empty.
    """
    return masked_mean((a - b).abs(), mask)


def psnr(a: Tensor, b: Tensor, mask: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio with the peak 1: -10 log10 of the mean squared difference.

    Args:
        a: Pictures (B, 3, H, W) in [0, 1].
        b: Pictures of the same shape.
        mask: Weights of the pixels (B, 1, H, W) in [0, 1], None for equal weights.

    Returns:
        Ratios (B,) in dB, infinity for equal pictures, NaN where a mask is empty.
    """
    return -10 * masked_mean((a - b).square(), mask).log10()


def masked_mean(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Weighted mean over colours and pixels, in float64.

    Args:
        values: Values (B, C, H, W).
        mask: Weights of the pixels (B, 1, H, W), None for equal weights.

    Returns:
        Means (B,), NaN where a mask is empty.
    """
    values = values.double().mean(dim=1, keepdim=True)
    weight = torch.ones_like(values) if mask is None else mask.double().expand_as(values)
    return (weight * values).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3))


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity.

    Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004, section III.B:
    Gaussian window of 11x11 with sigma 1.5, range 1, wherever the window fits; each colour by itself, averaged.

    Args:
        a: Pictures (B, 3, H, W) in [0, 1].
        b: Pictures of the same shape.

    Returns:
        Similarities (B,), 1 for equal pictures.

    Raises:
        MetricError: The pictures are smaller than the window.
    """
    position = torch.arange(WANG_SIZE, dtype=torch.float64, device=a.device) - WANG_SIZE // 2
    window = torch.exp(-position.square() / (2 * WANG_SIGMA**2))
    return _ssim(a, b, window / window.sum(), data_range=WANG_RANGE)


def ssim_legacy(a: Tensor, b: Tensor) -> Tensor:
    """SSIM as the field's scripts often compute it; higher than `ssim` for the same pictures.

    It is what scikit-image's `compare_ssim` gave for floats without a data range: a flat window of 7x7, unbiased
    (co)variances, and range 2 (floats count as -1 to 1).

    Args:
        a: Pictures (B, 3, H, W) in [0, 1].
        b: Pictures of the same shape.

    Returns:
        Similarities (B,), 1 for equal pictures.

    Raises:
        MetricError: The pictures are smaller than the window.
    """
    window = torch.full((LEGACY_SIZE,), 1 / LEGACY_SIZE, dtype=torch.float64, device=a.device)
    num = LEGACY_SIZE**2
    return _ssim(a, b, window, data_range=LEGACY_RANGE, correction=num / (num - 1))


def _ssim(a: Tensor, b: Tensor, window: Tensor, *, data_range: float, correction: float = 1.0) -> Tensor:
    """Mean of eq. 13 of Wang et al. over the positions where the separable window fits; in float64."""
    if min(a.shape[2:]) < len(window):
        raise MetricError(f"SSIM needs pictures of at least {len(window)} px, {a.shape[3]}x{a.shape[2]} given")
    a, b = a.double(), b.double()
    mean_a, mean_b = _filter(a, window), _filter(b, window)
    variance_a = correction * (_filter(a * a, window) - mean_a.square())
    variance_b = correction * (_filter(b * b, window) - mean_b.square())
    covariance = correction * (_filter(a * b, window) - mean_a * mean_b)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a.square() + mean_b.square() + c1)
    structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
    return (luminance * structure).mean(dim=(1, 2, 3))


def _filter(x: Tensor, window: Tensor) -> Tensor:
    """Filter both axes, without padding: (B, C, H, W), (N,) -> (B, C, H - N + 1, W - N + 1).

    Tap by tap: in float64 many times faster on a CPU than a convolution.
    """
    for axis in (2, 3):
        length = x.shape[axis] - len(window) + 1
        x = sum(weight * x.narrow(axis, tap, length) for tap, weight in enumerate(window.tolist()))
    return x
