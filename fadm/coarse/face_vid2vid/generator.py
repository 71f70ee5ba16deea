"""Appearance as a feature volume, warped in 3-D and decoded to a picture (Face vid2vid section 3.3)."""

from torch import Tensor, nn

from fadm.coarse.layers import ConvBlock, ImageEncoder, ResidualBlock
from fadm.coarse.motion import Motion, occlude, warp


class VolumeGenerator(nn.Module):
    """Encode the source as a volume; warp it, fold its depth into channels, apply the occlusion map, decode.

    Args:
        encoder: From pictures to feature maps of `channels` channels.
        decoder: From such feature maps to pictures.
        channels: Channels of the feature maps.
        volume_channels: Channels of the volume.
        depth: Planes of the volume.
        num_volume_blocks: Number of residual blocks on the volume.
    """

    def __init__(
        self,
        encoder: ImageEncoder,
        decoder: nn.Module,
        channels: int,
        volume_channels: int,
        depth: int,
        num_volume_blocks: int,
    ) -> None:
        super().__init__()
        self.depth = depth
        self.encoder = encoder
        self.to_volume = nn.Conv2d(channels, volume_channels * depth, 1)
        self.volume = nn.Sequential(*(ResidualBlock(3, volume_channels) for _ in range(num_volume_blocks)))
        self.from_volume = ConvBlock(2, volume_channels * depth, channels, 3, activation=nn.LeakyReLU(0.01))
        self.mix = nn.Conv2d(channels, channels, 1)
        self.decoder = decoder

    def encode(self, source: Tensor) -> Tensor:
        """Encode the source.

        Args:
            source: Pictures (B, 3, H, W) in [0, 1].

        Returns:
            Appearance volumes (B, C, D, h, w).
        """
        return self.volume(self.to_volume(self.encoder(source)).unflatten(1, (-1, self.depth)))

    def forward(self, volume: Tensor, motion: Motion) -> Tensor:
        """Generate frames.

        Args:
            volume: Volume of the source (B or 1, C, D, h, w).
            motion: Motion of B frames.

        Returns:
            Frames (B, 3, H, W) in [0, 1].
        """
        planes = warp(volume, motion.deformation).flatten(1, 2)  # (B, C * D, h, w)
        return self.decoder(occlude(self.mix(self.from_volume(planes)), motion.occlusion_map))
