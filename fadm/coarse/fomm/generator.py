"""The occlusion-aware generator that decodes the warped features of the source (FOMM section 3.2)."""

from torch import Tensor, nn

from fadm.coarse.layers import ImageDecoder, ImageEncoder
from fadm.coarse.motion import Motion, occlude, warp


class Generator(nn.Module):
    """Encode the source, warp its features, multiply them by the occlusion map and decode them.

    Args:
        encoder: From pictures to features.
        decoder: From features to pictures.
    """

    def __init__(self, encoder: ImageEncoder, decoder: ImageDecoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def encode(self, source: Tensor) -> Tensor:
        """Encode the source.

        Args:
            source: Pictures (B, 3, H, W) in [0, 1].

        Returns:
            Features (B, C, h, w).
        """
        return self.encoder(source)

    def forward(self, features: Tensor, motion: Motion) -> Tensor:
        """Generate frames.

        Args:
            features: Features of the source (B or 1, C, h, w).
            motion: Motion of B frames.

        Returns:
            Frames (B, 3, H, W) in [0, 1].
        """
        return self.decoder(occlude(warp(features, motion.deformation), motion.occlusion_map))
