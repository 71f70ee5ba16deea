"""Perceptual loss: features of a frozen network at several sizes (FOMM section 3.3; arXiv 1603.08155)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fadm.coarse.layers import AntiAliasDownsample
from fadm.errors import ConfigError
from fadm.networks.efficientnet import EfficientNetLite0, load_efficientnet_lite0

# Standard deviations of EfficientNet-Lite0's features at each stride, on pictures of 16 to 128 pixels. Features
# divided by them differ about as much as those of VGG-19, so the papers' weights keep their meaning.
DEVIATIONS = {2: 7.0, 4: 10.0, 8: 10.0, 16: 10.0, 32: 3.0}


class EfficientNetFeatures(nn.Module):
    """Stages of EfficientNet-Lite0, each divided by its usual deviation, in place of the papers' VGG-19."""

    def __init__(self, network: EfficientNetLite0, strides: Sequence[int] = tuple(DEVIATIONS)) -> None:
        super().__init__()
        self.network = network
        self.strides = sorted(strides)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Compute the features of pictures.

        Args:
            picture: Pictures (B, 3, H, W) in 0..1.

        Returns:
            Features (B, C, H / stride, W / stride) for each stride.
        """
        stages = self.network.features(picture, self.strides)
        return [stage / DEVIATIONS[stride] for stage, stride in zip(stages, self.strides, strict=True)]


def load_picture_features(strides: Sequence[int]) -> EfficientNetFeatures:
    """Load the pretrained features.

    Args:
        strides: Strides of the stages: some of 2, 4, 8, 16 and 32.

    Returns:
        The network.

    Raises:
        ConfigError: A stride does not exist, or none is given.
        PackageError: The package with the pretrained weights is not installed.
    """
    if not strides or not set(strides) <= DEVIATIONS.keys():
        raise ConfigError(f"strides {list(strides)} of the perceptual loss are not there: choose among {[*DEVIATIONS]}")
    return EfficientNetFeatures(load_efficientnet_lite0(), strides)


class Pyramid(nn.Module):
    """Pictures blurred and shrunk by each of several factors."""

    def __init__(self, channels: int, factors: Sequence[int]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(AntiAliasDownsample(channels, factor) for factor in factors)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Shrink pictures.

        Args:
            picture: Pictures (B, C, H, W).

        Returns:
            Pictures (B, C, H / factor, W / factor) for each factor, float32.
        """
        with torch.autocast(picture.device.type, enabled=False):  # in bfloat16 a CPU takes many times longer
            return [level(picture.float()) for level in self.levels]


class PerceptualLoss(nn.Module):
    """Mean absolute differences of a frozen network's features, summed over stages and sizes."""

    def __init__(self, features: nn.Module) -> None:
        """Freeze the network and keep it in evaluation mode.

        Args:
            features: A network from pictures (B, 3, H, W) in 0..1 to a list of tensors.
        """
        super().__init__()
        self.features = features.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "PerceptualLoss":
        """Set the mode of all but the frozen network.

        Args:
            mode: True for training.

        Returns:
            The module itself.
        """
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, pictures: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        """Compare two pyramids; only the pictures pass a gradient on.

        Args:
            pictures: Generated pictures (B, 3, H, W) in 0..1 of each size.
            targets: Real ones of the same sizes.

        Returns:
            The loss, a scalar.
        """
        total = torch.zeros((), device=pictures[0].device)
        for picture, target in zip(pictures, targets, strict=True):
            with torch.no_grad():
                target_stages = self.features(target)
            for stage, target_stage in zip(self.features(picture), target_stages, strict=True):
                total = total + (stage - target_stage).abs().float().mean()
        return total
