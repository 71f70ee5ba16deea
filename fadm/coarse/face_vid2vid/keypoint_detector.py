"""Canonical 3-D keypoints: a person's own, without head pose and expression (Face vid2vid section 3.1)."""

from torch import Tensor, nn

from fadm.coarse.keypoints import expect_positions, normalize_heatmap
from fadm.coarse.layers import AntiAliasDownsample, ConvBlock, double, halve, plan_channels


class LiftingHourglass(nn.Module):
    """Encode in 2-D, unfold channels into depth planes by a 1x1 convolution, decode in 3-D; without skips.

    Args:
        in_channels: Channels of the picture.
        width: Channels of the first level.
        max_channels: Upper limit of the channels.
        num_blocks: Number of halvings and of doublings.
        volume_channels: Channels of the volume.
        depth: Planes of the volume.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        max_channels: int,
        num_blocks: int,
        volume_channels: int,
        depth: int,
    ) -> None:
        super().__init__()
        channels = plan_channels(width, max_channels, num_blocks)
        self.depth = depth
        self.out_channels = channels[0]
        self.down = nn.ModuleList(
            ConvBlock(2, channels[level] if level else in_channels, channels[level + 1], 3)
            for level in range(num_blocks)
        )
        self.lift = nn.Conv2d(channels[-1], volume_channels * depth, 1)
        self.up = nn.ModuleList(
            ConvBlock(3, volume_channels if level == num_blocks - 1 else channels[level + 1], channels[level], 3)
            for level in reversed(range(num_blocks))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the network.

        Args:
            x: Pictures (B, in_channels, H, W), H and W multiples of 2 ** num_blocks.

        Returns:
            Features (B, width, depth, H, W).
        """
        for block in self.down:
            x = halve(block(x))
        x = self.lift(x).unflatten(1, (-1, self.depth))  # (B, C, D, h, w)
        for block in self.up:
            x = block(double(x))
        return x


class CanonicalKeypointDetector(nn.Module):
    """Hourglass on the downsampled picture; each keypoint is the mean of its 3-D heatmap.

    Args:
        num_keypoints: Number of keypoints K.
        image_channels: Channels of the picture.
        hourglass: The feature network.
        downsampling: Factor by which pictures shrink before the hourglass.
        temperature: Temperature of the heatmaps' softmax.
    """

    def __init__(
        self,
        num_keypoints: int,
        image_channels: int,
        hourglass: LiftingHourglass,
        *,
        downsampling: int,
        temperature: float,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.shrink = AntiAliasDownsample(image_channels, downsampling)
        self.hourglass = hourglass
        self.heatmap = nn.Conv3d(hourglass.out_channels, num_keypoints, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Detect the canonical keypoints of pictures.

        Args:
            image: Pictures (B, 3, H, W) in [0, 1].

        Returns:
            Positions (B, K, 3) in [-1, 1], float32.
        """
        logits = self.heatmap(self.hourglass(self.shrink(image)))  # (B, K, D, h, w)
        return expect_positions(normalize_heatmap(logits, self.temperature))
