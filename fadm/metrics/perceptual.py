"""The EfficientNet-Lite0 distance: a perceptual distance in the features of a network trained on ImageNet.

It follows LPIPS without learned weights (Zhang et al., arXiv 1801.03924, eq. 1 with w = 1) on our own choice of network
and layers: its numbers compare only with each other, not with published LPIPS.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

NAME = "efficientnet_lite0_distance"
EPS = 1e-10


def normalise_channels(features: Tensor) -> Tensor:
    """Scale the feature vector of each position to unit length, in float32.

    Args:
        features: Features (B, C, H, W).

    Returns:
        Features of the same shape; zeros stay zeros.
    """
    features = features.float()
    return features * torch.rsqrt(features.square().sum(dim=1, keepdim=True) + EPS)


def perceptual_distance(features_a: Sequence[Tensor], features_b: Sequence[Tensor]) -> Tensor:
    """Distance of two batches of pictures by their features at the same stages.

    The squared difference of unit vectors, summed over channels, averaged over space, summed over stages. The metric
    uses all five stages (strides 2, 4, 8, 16, 32); a loss may use fewer.

    Args:
        features_a: Features (B, C, H, W) of each stage, as `EfficientNetLite0.features` gives them.
        features_b: Features of the same shapes.

    Returns:
        Distances (B,), 0 for equal pictures, at most 4 per stage.
    """
    pairs = zip(features_a, features_b, strict=True)
    distances = [(normalise_channels(a) - normalise_channels(b)).square().sum(dim=1).mean(dim=(1, 2)) for a, b in pairs]
    return torch.stack(distances).sum(dim=0)
