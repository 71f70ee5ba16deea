"""The EfficientNet-Lite0 distance: how differently two pictures look to a network trained on ImageNet.

In the manner of LPIPS without learned weights (Zhang et al., arXiv 1801.03924, eq. 1 with w = 1) on our own choice
of network and layers: its numbers compare with each other, not with published LPIPS.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

NAME = "efficientnet_lite0_distance"
EPS = 1e-10


def normalise_channels(features: Tensor) -> Tensor:
    """Give each position's vector unit length, in float32: (B, C, H, W) -> (B, C, H, W); zeros stay zeros."""
    features = features.float()
    return features * torch.rsqrt(features.square().sum(dim=1, keepdim=True) + EPS)


def perceptual_distance(features_a: Sequence[Tensor], features_b: Sequence[Tensor]) -> Tensor:
    """Distance of two batches by their features at the same stages, as `EfficientNetLite0.features` gives them.

    Two lists of (B, C, H, W) -> (B,): the squared difference of unit vectors, summed over the channels and averaged
    over space, summed over the stages; 0 for equal pictures, at most 4 per stage. The metric takes all five
    stages (strides 2, 4, 8, 16, 32); a loss may take fewer.
    """
    pairs = zip(features_a, features_b, strict=True)
    distances = [(normalise_channels(a) - normalise_channels(b)).square().sum(dim=1).mean(dim=(1, 2)) for a, b in pairs]
    return torch.stack(distances).sum(dim=0)
