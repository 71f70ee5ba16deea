"""The U-Net's building blocks: time embedding, residual block, self-attention, changes of resolution.

Group normalisation before Swish before convolution, as in SR3 (Saharia et al. 2021).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TimeEmbedding(nn.Module):
    """t (B,) -> (B, channels): sines and cosines of t (DDPM, appendix B), then a two-layer network."""

    frequencies: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        exponents = torch.arange(0, channels, 2, dtype=torch.float32) / channels
        self.register_buffer("frequencies", torch.exp(-math.log(10000) * exponents), persistent=False)
        self.expand = nn.Linear(channels, 4 * channels)
        self.project = nn.Linear(4 * channels, channels)

    def forward(self, t: Tensor) -> Tensor:
        """t (B,) -> (B, channels)."""
        phases = t[:, None].float() * self.frequencies  # (B, channels / 2)
        waves = torch.cat((phases.sin(), phases.cos()), dim=1)  # (B, channels)
        return self.project(F.silu(self.expand(waves)))


class GroupNorm(nn.GroupNorm):
    """Group normalisation of (B, C, H, W), in the layout in which its gradient is fast.

    PyTorch's gradient for the channels-last layout takes up to 40 times as long on a CPU as for the usual one.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W), channels last."""
        normalized = F.group_norm(x.contiguous(), self.num_groups, self.weight, self.bias, self.eps)
        return normalized.contiguous(memory_format=torch.channels_last)


def to_patches(picture: Tensor, patch: int) -> Tensor:
    """Space to depth: a picture (B, 3, H, W) -> its patches (B, 3 patch^2, H / patch, W / patch), channels last."""
    return F.pixel_unshuffle(picture, patch).contiguous(memory_format=torch.channels_last)


class NormalizedConv(nn.Module):
    """Group normalisation, Swish, 3x3 convolution: (B, C, H, W) -> (B, C', H, W)."""

    def __init__(self, in_channels: int, out_channels: int, groups: int) -> None:
        super().__init__()
        self.norm = GroupNorm(groups, in_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H, W)."""
        return self.conv(F.silu(self.norm(x)))


class ResidualBlock(nn.Module):
    """Two normalised convolutions beside a skip; an embedded time, if any, shifts the features between them."""

    def __init__(self, in_channels: int, out_channels: int, groups: int, time_channels: int | None = None) -> None:
        super().__init__()
        self.time = None if time_channels is None else nn.Linear(time_channels, out_channels)
        self.block1 = NormalizedConv(in_channels, out_channels, groups)
        self.block2 = NormalizedConv(out_channels, out_channels, groups)
        self.skip = nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """x (B, C, H, W), time (B, time_channels) -> (B, C', H, W)."""
        h = self.block1(x)  # (B, C', H, W)
        if self.time is not None and time is not None:
            h = h + self.time(F.silu(time))[:, :, None, None]
        return self.skip(x) + self.block2(h)


class SelfAttention(nn.Module):
    """One-headed self-attention over all places of a feature map, beside a skip: (B, C, H, W) -> same."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = GroupNorm(groups, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        B, C, H, W = x.shape
        qkv = self.qkv(self.norm(x)).flatten(2).transpose(1, 2)  # (B, HW, 3C)
        query, key, value = qkv.unsqueeze(1).chunk(3, dim=3)  # each (B, 1 head, HW, C)
        attended = F.scaled_dot_product_attention(query, key, value)
        return x + self.out(attended.squeeze(1).transpose(1, 2).reshape(B, C, H, W))


class UNetBlock(nn.Module):
    """A residual block that knows the time, with self-attention behind it where asked for."""

    def __init__(self, in_channels: int, out_channels: int, groups: int, time_channels: int, attends: bool) -> None:
        super().__init__()
        self.residual = ResidualBlock(in_channels, out_channels, groups, time_channels)
        self.attention = SelfAttention(out_channels, groups) if attends else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """x (B, C, H, W), time (B, time_channels) -> (B, C', H, W)."""
        return self.attention(self.residual(x, time))


class Downsample(nn.Module):
    """Halve the resolution by a strided convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H / 2, W / 2)."""
        return self.conv(x)


class Upsample(nn.Module):
    """Double the resolution: nearest neighbour, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 2H, 2W)."""
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
