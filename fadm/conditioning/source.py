"""The source picture's own features, which the paper's denoiser never sees (docs/fidelity.md)."""

from torch import Tensor, nn

from fadm.diffusion.blocks import ResidualBlock, to_patches


class SourceEncoder(nn.Module):
    """A source picture (B, 3, H, W) -> its features (B, channels, H / patch, W / patch)."""

    def __init__(self, patch: int, channels: int) -> None:
        super().__init__()
        self.patch = patch
        self.conv = nn.Conv2d(3 * patch**2, channels, 3, padding=1)
        self.residual1 = ResidualBlock(channels, channels, groups=channels)
        self.residual2 = ResidualBlock(channels, channels, groups=channels)

    def forward(self, picture: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, channels, H / patch, W / patch)."""
        h = self.conv(to_patches(picture, self.patch))
        return self.residual2(self.residual1(h))
