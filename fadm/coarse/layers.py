"""Convolutional blocks of the trained coarse generators, for pictures (2-D) and volumes (3-D).

Volumes are never pooled along depth: FOMM and Face vid2vid halve and double height and width only.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fadm.errors import OptionError

CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
BATCH_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def check_sides(image: Tensor, multiple: int) -> None:
    """Check that pictures fit a network that halves them.

    Args:
        image: Pictures (B, C, H, W).
        multiple: Number of pixels that has to divide H and W.

    Raises:
        OptionError: H or W is not a multiple of `multiple`.
    """
    height, width = image.shape[-2:]
    if height % multiple or width % multiple:
        raise OptionError(
            f"this generator takes pictures whose sides are multiples of {multiple} px, "
            f"not {width}x{height}: resize the crop"
        )


def plan_channels(width: int, max_channels: int, num_blocks: int) -> list[int]:
    """List the channels before and after each block of a network, doubled by each block.

    Args:
        width: Channels before the first block.
        max_channels: Upper limit of the channels.
        num_blocks: Number of blocks.

    Returns:
        `num_blocks + 1` numbers of channels.
    """
    return [min(max_channels, width * 2**level) for level in range(num_blocks + 1)]


def halve(x: Tensor) -> Tensor:
    """Average-pool height and width by 2.

    Args:
        x: Features (B, C, [D,] H, W).

    Returns:
        Features (B, C, [D,] H / 2, W / 2).
    """
    planes = x.flatten(1, -3)  # avg_pool3d has no bfloat16 on the CPU
    return F.avg_pool2d(planes, 2).unflatten(1, x.shape[1:-2])


def double(x: Tensor) -> Tensor:
    """Repeat each pixel in height and width.

    Args:
        x: Features (B, C, [D,] H, W).

    Returns:
        Features (B, C, [D,] 2H, 2W).
    """
    scale = (2.0, 2.0) if x.dim() == 4 else (1.0, 2.0, 2.0)
    return F.interpolate(x, scale_factor=scale, mode="nearest")


class ConvBlock(nn.Module):
    """Convolution with "same" padding, batch norm and activation.

    Args:
        dims: 2 for pictures, 3 for volumes.
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Width of the kernel, odd.
        stride: Factor by which the size shrinks.
        activation: Activation, ReLU if None.
    """

    def __init__(
        self,
        dims: int,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.conv = CONVOLUTION[dims](in_channels, out_channels, kernel_size, stride, kernel_size // 2)
        self.norm = BATCH_NORM[dims](out_channels)
        self.activation = nn.ReLU() if activation is None else activation

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: Features (B, in_channels, [D,] H, W).

        Returns:
            Features (B, out_channels, [D,] H / stride, W / stride).
        """
        return self.activation(self.norm(self.conv(x)))


class ResidualBlock(nn.Module):
    """Pre-activation residual block of two 3-wide convolutions: x + conv(relu(norm(conv(relu(norm(x)))))).

    Args:
        dims: 2 for pictures, 3 for volumes.
        channels: Channels of input and output.
    """

    def __init__(self, dims: int, channels: int) -> None:
        super().__init__()
        self.norm1 = BATCH_NORM[dims](channels)
        self.conv1 = CONVOLUTION[dims](channels, channels, 3, padding=1)
        self.norm2 = BATCH_NORM[dims](channels)
        self.conv2 = CONVOLUTION[dims](channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: Features (B, channels, [D,] H, W).

        Returns:
            Features of the same shape.
        """
        residual = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(residual)))


class Hourglass(nn.Module):
    """U-shaped network of halvings and doublings with a skip connection at each level.

    Args:
        dims: 2 for pictures, 3 for volumes.
        in_channels: Channels of the input.
        width: Channels of the first level.
        max_channels: Upper limit of the channels.
        num_blocks: Number of halvings and of doublings.
    """

    def __init__(self, dims: int, in_channels: int, width: int, max_channels: int, num_blocks: int) -> None:
        super().__init__()
        channels = plan_channels(width, max_channels, num_blocks)
        self.out_channels = channels[0] + in_channels
        self.down = nn.ModuleList(
            ConvBlock(dims, channels[level] if level else in_channels, channels[level + 1], 3)
            for level in range(num_blocks)
        )
        self.up = nn.ModuleList(
            ConvBlock(dims, channels[level + 1] * (1 if level == num_blocks - 1 else 2), channels[level], 3)
            for level in reversed(range(num_blocks))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the network.

        Args:
            x: Features (B, in_channels, [D,] H, W), H and W multiples of 2 ** num_blocks.

        Returns:
            Features (B, width + in_channels, [D,] H, W).
        """
        skips = [x]
        for block in self.down:
            skips.append(halve(block(skips[-1])))
        x = skips.pop()
        for block in self.up:
            x = torch.cat([block(double(x)), skips.pop()], dim=1)
        return x


class AntiAliasDownsample(nn.Module):
    """Downsample a picture by a whole factor: blur with sigma (factor - 1) / 2, then keep every factor-th pixel.

    Args:
        channels: Channels of the picture.
        factor: Downsampling factor; 1 leaves the picture as it is.
    """

    kernel: Tensor

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.radius = 2 * (factor - 1)  # four sigmas
        offsets = torch.arange(-self.radius, self.radius + 1, dtype=torch.float32)
        sigma = (factor - 1) / 2 or 1.0  # a factor of 1 has one tap, whatever the width
        profile = torch.exp(-0.5 * (offsets / sigma) ** 2)
        kernel = torch.outer(profile, profile) / profile.sum() ** 2
        self.register_buffer("kernel", kernel.repeat(channels, 1, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Downsample pictures; outside the picture counts as 0.

        Args:
            image: Pictures (B, C, H, W).

        Returns:
            Pictures (B, C, H / factor, W / factor).
        """
        channels = image.shape[1]
        return F.conv2d(image, self.kernel, stride=self.factor, padding=self.radius, groups=channels)


class ImageEncoder(nn.Module):
    """Encode a picture as a feature map: a 7x7 block, then halvings.

    Args:
        image_channels: Channels of the picture.
        width: Channels of the first level.
        max_channels: Upper limit of the channels.
        num_blocks: Number of halvings.
    """

    def __init__(self, image_channels: int, width: int, max_channels: int, num_blocks: int) -> None:
        super().__init__()
        channels = plan_channels(width, max_channels, num_blocks)
        self.first = ConvBlock(2, image_channels, channels[0], 7)
        self.down = nn.ModuleList(ConvBlock(2, channels[level], channels[level + 1], 3) for level in range(num_blocks))

    def forward(self, image: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            image: Pictures (B, 3, H, W) in [0, 1].

        Returns:
            Features (B, C, H / 2**num_blocks, W / 2**num_blocks).
        """
        x = self.first(image)
        for block in self.down:
            x = halve(block(x))
        return x


class ImageDecoder(nn.Module):
    """Decode a feature map to a picture: residual blocks, doublings, a 7x7 convolution and a sigmoid.

    Args:
        image_channels: Channels of the picture.
        width: Channels of the last level.
        max_channels: Upper limit of the channels.
        num_blocks: Number of doublings.
        num_bottleneck_blocks: Number of residual blocks before them.
    """

    def __init__(
        self, image_channels: int, width: int, max_channels: int, num_blocks: int, num_bottleneck_blocks: int
    ) -> None:
        super().__init__()
        channels = plan_channels(width, max_channels, num_blocks)
        self.bottleneck = nn.Sequential(*(ResidualBlock(2, channels[-1]) for _ in range(num_bottleneck_blocks)))
        self.up = nn.ModuleList(
            ConvBlock(2, channels[level + 1], channels[level], 3) for level in reversed(range(num_blocks))
        )
        self.final = nn.Conv2d(channels[0], image_channels, 7, padding=3)

    def forward(self, features: Tensor) -> Tensor:
        """Decode feature maps.

        Args:
            features: Features (B, C, H / 2**num_blocks, W / 2**num_blocks).

        Returns:
            Pictures (B, 3, H, W) in [0, 1].
        """
        x = self.bottleneck(features)
        for block in self.up:
            x = block(double(x))
        return torch.sigmoid(self.final(x))
