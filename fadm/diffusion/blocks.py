"""The U-Net's building blocks: time embedding, residual block, self-attention, changes of resolution.

Group normalisation before Swish before convolution, as in SR3 (Saharia et al. 2021).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TimeEmbedding(nn.Module):
    """Embed timesteps: sines and cosines (DDPM, appendix B), then a two-layer network.

    Args:
        channels: Channels of the embedding, even.
    """

    frequencies: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        exponents = torch.arange(0, channels, 2, dtype=torch.float32) / channels
        self.register_buffer("frequencies", torch.exp(-math.log(10000) * exponents), persistent=False)
        self.expand = nn.Linear(channels, 4 * channels)
        self.project = nn.Linear(4 * channels, channels)

    def forward(self, t: Tensor) -> Tensor:
        """Embed timesteps.

        Args:
            t: Timesteps (B,), int64.

        Returns:
            Embeddings (B, channels).
        """
        phases = t[:, None].float() * self.frequencies  # (B, channels / 2)
        waves = torch.cat((phases.sin(), phases.cos()), dim=1)  # (B, channels)
        return self.project(F.silu(self.expand(waves)))


class GroupNorm(nn.GroupNorm):
    """Group normalisation in the memory layout in which its gradient is fast.

    PyTorch's gradient for the channels-last layout takes up to 40 times as long on a CPU as for the usual one.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise features.

        Args:
            x: Features (B, C, H, W).

        Returns:
            Features (B, C, H, W), channels last.
        """
        normalized = F.group_norm(x.contiguous(), self.num_groups, self.weight, self.bias, self.eps)
        return normalized.contiguous(memory_format=torch.channels_last)


def to_patches(picture: Tensor, patch: int) -> Tensor:
    """Rearrange a picture's patches into channels (space to depth).

    Args:
        picture: Pictures (B, C, H, W), H and W multiples of `patch`.
        patch: Side of a patch in pixels.

    Returns:
        Patches (B, C patch^2, H / patch, W / patch), channels last.
    """
    return F.pixel_unshuffle(picture, patch).contiguous(memory_format=torch.channels_last)


class NormalizedConv(nn.Module):
    """Group normalisation, Swish, 3x3 convolution.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        groups: Groups of the normalisation, a divisor of `in_channels`.
    """

    def __init__(self, in_channels: int, out_channels: int, groups: int) -> None:
        super().__init__()
        self.norm = GroupNorm(groups, in_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: Features (B, in_channels, H, W).

        Returns:
            Features (B, out_channels, H, W).
        """
        return self.conv(F.silu(self.norm(x)))


class ResidualBlock(nn.Module):
    """Two normalised convolutions beside a skip; the embedded time shifts the features between them.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        groups: Groups of the normalisations.
        time_channels: Channels of the embedded time; None for a block without time.
    """

    def __init__(self, in_channels: int, out_channels: int, groups: int, time_channels: int | None = None) -> None:
        super().__init__()
        self.time = None if time_channels is None else nn.Linear(time_channels, out_channels)
        self.block1 = NormalizedConv(in_channels, out_channels, groups)
        self.block2 = NormalizedConv(out_channels, out_channels, groups)
        self.skip = nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """Apply the block.

        Args:
            x: Features (B, in_channels, H, W).
            time: Embedded time (B, time_channels), or None.

        Returns:
            Features (B, out_channels, H, W).
        """
        h = self.block1(x)  # (B, C', H, W)
        if self.time is not None and time is not None:
            h = h + self.time(F.silu(time))[:, :, None, None]
        return self.skip(x) + self.block2(h)


class SelfAttention(nn.Module):
    """One-headed self-attention over all places of a feature map, beside a skip.

    Args:
        channels: Channels of input and output.
        groups: Groups of the normalisation.
    """

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = GroupNorm(groups, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: Features (B, channels, H, W).

        Returns:
            Features (B, channels, H, W).
        """
        B, C, H, W = x.shape
        qkv = self.qkv(self.norm(x)).flatten(2).transpose(1, 2)  # (B, HW, 3C)
        query, key, value = qkv.unsqueeze(1).chunk(3, dim=3)  # each (B, 1 head, HW, C)
        attended = F.scaled_dot_product_attention(query, key, value)
        return x + self.out(attended.squeeze(1).transpose(1, 2).reshape(B, C, H, W))


class UNetBlock(nn.Module):
    """Residual block with embedded time, optionally followed by self-attention.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        groups: Groups of the normalisations.
        time_channels: Channels of the embedded time.
        has_attention: Whether self-attention follows.
    """

    def __init__(
        self, in_channels: int, out_channels: int, groups: int, time_channels: int, has_attention: bool
    ) -> None:
        super().__init__()
        self.residual = ResidualBlock(in_channels, out_channels, groups, time_channels)
        self.attention = SelfAttention(out_channels, groups) if has_attention else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: Features (B, in_channels, H, W).
            time: Embedded time (B, time_channels).

        Returns:
            Features (B, out_channels, H, W).
        """
        return self.attention(self.residual(x, time))


class Downsample(nn.Module):
    """Halve the resolution by a strided convolution.

    Args:
        channels: Channels of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Downsample features.

        Args:
            x: Features (B, channels, H, W).

        Returns:
            Features (B, channels, H / 2, W / 2).
        """
        return self.conv(x)


class Upsample(nn.Module):
    """Double the resolution: nearest neighbour, then a convolution.

    Args:
        channels: Channels of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Upsample features.

        Args:
            x: Features (B, channels, H, W).

        Returns:
            Features (B, channels, 2H, 2W).
        """
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
