"""How well a generator's pictures show the driving frames: what FOMM and Face vid2vid minimise alike."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fadm.errors import ConfigError
from fadm.training.losses.discriminator import Discriminator, match_features, score_as_convincing
from fadm.training.losses.pyramid import PerceptualLoss, Pyramid, load_picture_features


@dataclass(frozen=True, kw_only=True)
class ReconstructionConfig:
    """How predictions are compared with driving frames; the defaults are the papers'. Weight 0 leaves a loss out.

    factors: by which pictures shrink. strides: of the pretrained features that are compared at each size.
    pixel_weight: of the pictures' own absolute differences at each size, in no paper. feature_matching_weight:
    of the discriminator's features, where there is a discriminator.
    """

    factors: tuple[int, ...] = (1, 2, 4, 8)
    strides: tuple[int, ...] = (2, 4, 8, 16, 32)
    perceptual_weight: float = 10.0
    pixel_weight: float = 0.0
    feature_matching_weight: float = 10.0


class ReconstructionLoss(nn.Module):
    """Perceptual, pixel, adversarial and feature matching losses; the discriminator is an argument, not a part.

    features: what PerceptualLoss takes, in place of the pretrained ones. Raises PackageError where those are
    asked for and missing.
    """

    def __init__(
        self, config: ReconstructionConfig, adversarial_weight: float, features: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.adversarial_weight = adversarial_weight
        self.pyramid = Pyramid(3, config.factors)
        self.perceptual = None
        if config.perceptual_weight:
            self.perceptual = PerceptualLoss(features or load_picture_features(config.strides))

    def forward(
        self, prediction: Tensor, driving: Tensor, discriminator: Discriminator | None, keypoint_maps: Tensor | None
    ) -> dict[str, Tensor]:
        """Two (B, 3, H, W) in 0..1, the discriminator and what it sees beside them -> weighted scalars by name."""
        losses = {}
        pictures, targets = self.pyramid(prediction), self.pyramid(driving)
        if self.perceptual is not None:
            losses["perceptual"] = self.config.perceptual_weight * self.perceptual(pictures, targets)
        if self.config.pixel_weight:
            errors = [(p - t).abs().mean() for p, t in zip(pictures, targets, strict=True)]
            losses["pixel"] = self.config.pixel_weight * torch.stack(errors).sum()
        if discriminator is not None:
            losses |= self._persuade(prediction, driving, discriminator, keypoint_maps)
        return losses

    def _persuade(
        self, prediction: Tensor, driving: Tensor, discriminator: Discriminator, keypoint_maps: Tensor | None
    ) -> dict[str, Tensor]:
        made = discriminator.judge(prediction, keypoint_maps)
        scores = [score_as_convincing(discriminator.loss, judgement.scores) for judgement in made]
        losses = {"adversarial": self.adversarial_weight * torch.stack(scores).sum()}
        if self.config.feature_matching_weight:
            with torch.no_grad():
                real = discriminator.judge(driving, keypoint_maps)
            losses["feature_matching"] = self.config.feature_matching_weight * match_features(made, real)
        return losses


def check_weights(*configs: Any) -> None:
    """Raise ConfigError for a negative weight among the fields of an objective's configurations."""
    for config in configs:
        for field in dataclasses.fields(config):
            weight = getattr(config, field.name)
            if field.name.endswith("_weight") and weight < 0:
                raise ConfigError(f"{field.name} is {weight}: a loss is weighted by 0, which leaves it out, or more")
