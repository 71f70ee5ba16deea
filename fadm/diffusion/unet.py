"""The denoising U-Net (SR3's, Saharia et al. 2021), with sizes and attention set by its configuration."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fadm.diffusion.blocks import Downsample, NormalizedConv, UNetBlock, Upsample
from fadm.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """Sizes of the U-Net; the defaults are those of the released 256-pixel checkpoint (141 M parameters).

    A level is a resolution: level 0 is the input's, each further one half of the one before.

    Attributes:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        channels: Base width, and channels of the embedded time.
        multipliers: Width of each level over the base width.
        residual_blocks: Residual blocks of each level on the way down; one more on the way up.
        attention_levels: Levels with self-attention.
        norm_groups: Groups of the normalisations, a divisor of `channels`.
    """

    in_channels: int = 6
    out_channels: int = 3
    channels: int = 64
    multipliers: tuple[int, ...] = (1, 2, 4, 4, 8, 8)
    residual_blocks: int = 3
    attention_levels: tuple[int, ...] = (4,)
    norm_groups: int = 32


class UNet(nn.Module):
    """U-Net with embedded time.

    Args:
        config: Sizes of the network.

    Raises:
        OptionError: `channels` is not a multiple of `norm_groups`.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        if config.channels % config.norm_groups:
            raise OptionError(
                f"channels {config.channels} cannot be split into norm_groups {config.norm_groups}; "
                "choose a divisor of channels"
            )
        self.config = config
        self.stride = 2 ** (len(config.multipliers) - 1)
        widths = [config.channels * multiplier for multiplier in config.multipliers]
        self.down, skip_widths = _build_down(config, widths)
        self.middle = nn.ModuleList(
            [_block(config, widths[-1], widths[-1], has_attention) for has_attention in (True, False)]
        )
        self.up = _build_up(config, widths, skip_widths)
        self.head = NormalizedConv(config.channels * config.multipliers[0], config.out_channels, config.norm_groups)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Apply the network.

        Args:
            x: Input (B, in_channels, H, W).
            time: Embedded time (B, channels).

        Returns:
            Output (B, out_channels, H, W).

        Raises:
            OptionError: H or W is not a multiple of 2 ** (levels - 1).
        """
        if x.shape[2] % self.stride or x.shape[3] % self.stride:
            raise OptionError(
                f"a picture of {x.shape[3]}x{x.shape[2]} does not fit this network; "
                f"width and height must be multiples of {self.stride}"
            )
        skips = []
        for layer in self.down:
            x = layer(x, time) if isinstance(layer, UNetBlock) else layer(x)
            skips.append(x)
        for layer in self.middle:
            x = layer(x, time)
        for layer in self.up:
            x = layer(torch.cat((x, skips.pop()), dim=1), time) if isinstance(layer, UNetBlock) else layer(x)
        return self.head(x)


def _block(config: UNetConfig, in_channels: int, out_channels: int, has_attention: bool) -> UNetBlock:
    return UNetBlock(in_channels, out_channels, config.norm_groups, config.channels, has_attention)


def _build_down(config: UNetConfig, widths: list[int]) -> tuple[nn.ModuleList, list[int]]:
    """Build the descending layers, and list the widths of their outputs, which are kept for the way up."""
    layers = nn.ModuleList([nn.Conv2d(config.in_channels, config.channels, 3, padding=1)])
    outputs = [config.channels]
    for level, width in enumerate(widths):
        for _ in range(config.residual_blocks):
            layers.append(_block(config, outputs[-1], width, level in config.attention_levels))
            outputs.append(width)
        if level < len(widths) - 1:
            layers.append(Downsample(width))
            outputs.append(width)
    return layers, outputs


def _build_up(config: UNetConfig, widths: list[int], skip_widths: list[int]) -> nn.ModuleList:
    """Build the ascending layers; every block joins one kept output, the last kept first."""
    layers, current, waiting = nn.ModuleList(), widths[-1], list(skip_widths)
    for level in reversed(range(len(widths))):
        for _ in range(config.residual_blocks + 1):
            layers.append(_block(config, current + waiting.pop(), widths[level], level in config.attention_levels))
            current = widths[level]
        if level > 0:
            layers.append(Upsample(current))
    return layers
