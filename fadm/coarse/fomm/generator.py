"""The occlusion-aware generator that paints the driving frame from the warped source (FOMM section 3.2)."""

from torch import Tensor, nn

from fadm.coarse.layers import ImageDecoder, ImageEncoder
from fadm.coarse.motion import Motion, occlude, warp


class Generator(nn.Module):
    """Encode the source, warp its features, dim what is occluded, decode."""

    def __init__(self, encoder: ImageEncoder, decoder: ImageDecoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def encode(self, source: Tensor) -> Tensor:
        """(B, 3, H, W) in 0..1 -> features (B, C, h, w)."""
        return self.encoder(source)

    def forward(self, features: Tensor, motion: Motion) -> Tensor:
        """Features of the source (B or 1, C, h, w) and the motion of B frames -> (B, 3, H, W) in 0..1."""
        return self.decoder(occlude(warp(features, motion.deformation), motion.occlusion_map))
