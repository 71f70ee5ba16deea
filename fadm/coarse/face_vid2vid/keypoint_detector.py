"""Canonical 3-D key points: the face's own, free of head pose and expression (Face vid2vid section 3.1)."""

from torch import Tensor, nn

from fadm.coarse.keypoints import expect_positions, normalize_heatmap
from fadm.coarse.layers import AntiAliasDownsample, ConvBlock, double, halve, plan_channels


class LiftingHourglass(nn.Module):
    """Down in 2-D, a 1x1 convolution that unfolds channels into depth planes, up in 3-D; no skips."""

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
        """(B, C, H, W) -> (B, width, D, H, W); H and W are multiples of 2 ** num_blocks."""
        for block in self.down:
            x = halve(block(x))
        x = self.lift(x).unflatten(1, (-1, self.depth))  # (B, C, D, h, w)
        for block in self.up:
            x = block(double(x))
        return x


class CanonicalKeypointDetector(nn.Module):
    """Hourglass on the shrunk picture; each key point is the mean of its 3-D heatmap."""

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
        """(B, 3, H, W) in 0..1 -> canonical positions (B, K, 3) in -1..1, float32."""
        logits = self.heatmap(self.hourglass(self.shrink(image)))  # (B, K, D, h, w)
        return expect_positions(normalize_heatmap(logits, self.temperature))
