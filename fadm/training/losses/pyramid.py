"""How different two pictures look: features of a frozen network at several sizes (FOMM section 3.3, Johnson et al.)."""

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
    """In place of the papers' VGG-19: the stages of EfficientNet-Lite0, each divided by its usual deviation."""

    def __init__(self, network: EfficientNetLite0, strides: Sequence[int] = tuple(DEVIATIONS)) -> None:
        super().__init__()
        self.network = network
        self.strides = sorted(strides)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in 0..1 -> one (B, C, H / stride, W / stride) for each stride."""
        stages = self.network.features(picture, self.strides)
        return [stage / DEVIATIONS[stride] for stage, stride in zip(stages, self.strides, strict=True)]


def load_picture_features(strides: Sequence[int]) -> EfficientNetFeatures:
    """The pretrained features. Raises PackageError without their package, ConfigError for strides it lacks."""
    if not strides or not set(strides) <= DEVIATIONS.keys():
        raise ConfigError(f"strides {list(strides)} of the perceptual loss are not there: choose among {[*DEVIATIONS]}")
    return EfficientNetFeatures(load_efficientnet_lite0(), strides)


class Pyramid(nn.Module):
    """Pictures shrunk by each of the factors, blurred first."""

    def __init__(self, channels: int, factors: Sequence[int]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(AntiAliasDownsample(channels, factor) for factor in factors)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """(B, C, H, W) -> one (B, C, H / factor, W / factor) for each factor, float32."""
        with torch.autocast(picture.device.type, enabled=False):  # in bfloat16 a CPU takes many times longer
            return [level(picture.float()) for level in self.levels]


class PerceptualLoss(nn.Module):
    """Mean absolute differences of features, summed over stages and sizes.

    features: a network from a picture (B, 3, H, W) in 0..1 to a list of arrays. It is frozen and stays in
    evaluation mode.
    """

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "PerceptualLoss":
        """Set the mode of all but the frozen network, which is always in evaluation mode."""
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, pictures: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        """Two pyramids -> a scalar; only the pictures pass a gradient on."""
        total = torch.zeros((), device=pictures[0].device)
        for picture, target in zip(pictures, targets, strict=True):
            with torch.no_grad():
                wanted = self.features(target)
            for stage, wanted_stage in zip(self.features(picture), wanted, strict=True):
                total = total + (stage - wanted_stage).abs().float().mean()
        return total
