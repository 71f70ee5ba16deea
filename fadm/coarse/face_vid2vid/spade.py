"""Decoder with spatially-adaptive normalization: features modulate their own decoding (arXiv 1903.07291)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from fadm.coarse.layers import double, plan_channels

LEAK = 0.2


class SpatiallyAdaptiveNorm(nn.Module):
    """Instance norm, then a gain and a bias per pixel, both predicted from the condition (SPADE eq. 1).

    Args:
        channels: Channels of the normalized features.
        condition_channels: Channels of the condition.
        hidden_channels: Channels between condition and gain or bias.
    """

    def __init__(self, channels: int, condition_channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(channels, affine=False)
        self.shared = nn.Conv2d(condition_channels, hidden_channels, 3, padding=1)
        self.gamma = nn.Conv2d(hidden_channels, channels, 3, padding=1)
        self.beta = nn.Conv2d(hidden_channels, channels, 3, padding=1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Normalize and modulate features.

        Args:
            x: Features (B, channels, H, W).
            condition: Condition (B, condition_channels, h, w), resized to H x W by repetition.

        Returns:
            Features (B, channels, H, W).
        """
        resized = F.interpolate(condition, size=x.shape[-2:], mode="nearest")
        hidden = F.relu(self.shared(resized))
        return self.norm(x) * (1 + self.gamma(hidden)) + self.beta(hidden)


class SpadeBlock(nn.Module):
    """Residual block of two modulated convolutions with spectral norm, and a third where channels change.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        condition_channels: Channels of the condition.
        hidden: Hidden channels of each normalization.
    """

    def __init__(self, in_channels: int, out_channels: int, condition_channels: int, hidden: int) -> None:
        super().__init__()
        middle = min(in_channels, out_channels)
        self.norm1 = SpatiallyAdaptiveNorm(in_channels, condition_channels, hidden)
        self.conv1 = spectral_norm(nn.Conv2d(in_channels, middle, 3, padding=1))
        self.norm2 = SpatiallyAdaptiveNorm(middle, condition_channels, hidden)
        self.conv2 = spectral_norm(nn.Conv2d(middle, out_channels, 3, padding=1))
        self.has_shortcut = in_channels != out_channels
        if self.has_shortcut:
            self.shortcut_norm = SpatiallyAdaptiveNorm(in_channels, condition_channels, hidden)
            self.shortcut = spectral_norm(nn.Conv2d(in_channels, out_channels, 1, bias=False))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: Features (B, in_channels, H, W).
            condition: Condition (B, condition_channels, h, w).

        Returns:
            Features (B, out_channels, H, W).
        """
        straight = self.shortcut(self.shortcut_norm(x, condition)) if self.has_shortcut else x
        residual = self.conv1(F.leaky_relu(self.norm1(x, condition), LEAK))
        return straight + self.conv2(F.leaky_relu(self.norm2(residual, condition), LEAK))


class SpadeDecoder(nn.Module):
    """Decode a feature map to a picture: blocks at twice the channels, then doublings, all modulated by the map.

    Args:
        image_channels: Channels of the picture.
        width: Channels of the encoder's first level.
        max_channels: Upper limit of the encoder's channels.
        num_blocks: Number of doublings.
        num_middle_blocks: Number of blocks before them.
        hidden_channels: Hidden channels of each normalization.
    """

    def __init__(
        self,
        image_channels: int,
        width: int,
        max_channels: int,
        num_blocks: int,
        num_middle_blocks: int,
        hidden_channels: int,
    ) -> None:
        super().__init__()
        first, *_, channels = plan_channels(width, max_channels, num_blocks)
        # The last doubling goes down to the encoder's width at once, the others halve.
        levels = [2 * channels, *(channels // 2**level for level in range(num_blocks - 1)), first]
        self.expand = nn.Conv2d(channels, levels[0], 3, padding=1)
        self.middle = nn.ModuleList(
            SpadeBlock(levels[0], levels[0], channels, hidden_channels) for _ in range(num_middle_blocks)
        )
        self.up = nn.ModuleList(
            SpadeBlock(levels[level], levels[level + 1], channels, hidden_channels) for level in range(num_blocks)
        )
        self.image = nn.Conv2d(levels[-1], image_channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Decode feature maps.

        Args:
            features: Features (B, C, H / 2**num_blocks, W / 2**num_blocks).

        Returns:
            Pictures (B, 3, H, W) in [0, 1].
        """
        x = self.expand(features)
        for block in self.middle:
            x = block(x, features)
        for block in self.up:
            x = block(double(x), features)
        return torch.sigmoid(self.image(F.leaky_relu(x, LEAK)))
