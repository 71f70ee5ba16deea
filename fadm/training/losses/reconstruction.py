"""Reconstruction losses: how well generated pictures show the driving frames; shared by FOMM and Face vid2vid."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fadm.training.losses.discriminator import Discriminator, match_features, score_as_convincing
from fadm.training.losses.pyramid import PerceptualLoss, Pyramid, load_picture_features
from fadm.training.options import check_ranges


@dataclass(frozen=True, kw_only=True)
class ReconstructionConfig:
    """How generated pictures are compared with driving frames; the defaults are the papers'.

    Attributes:
        factors: Factors by which pictures shrink before they are compared.
        strides: Strides of the pretrained features that are compared at each size.
        perceptual_weight: Weight of the perceptual loss; 0 leaves it out, as it does for the other weights.
        pixel_weight: Weight of the mean absolute difference of the pictures at each size, in no paper.
        feature_matching_weight: Weight of feature matching, where there is a discriminator.
    """

    factors: tuple[int, ...] = (1, 2, 4, 8)
    strides: tuple[int, ...] = (2, 4, 8, 16, 32)
    perceptual_weight: float = 10.0
    pixel_weight: float = 0.0
    feature_matching_weight: float = 10.0


class ReconstructionLoss(nn.Module):
    """Perceptual, pixel, adversarial and feature matching losses; the discriminator is an argument, not a part."""

    def __init__(
        self, config: ReconstructionConfig, adversarial_weight: float, features: nn.Module | None = None
    ) -> None:
        """Load the pretrained features, if they are needed.

        Args:
            config: Sizes and weights of the losses.
            adversarial_weight: Weight of the adversarial loss.
            features: Features to use in place of the pretrained ones (see PerceptualLoss).

        Raises:
            ConfigError: A stride of the pretrained features does not exist.
            PackageError: The pretrained features are needed and not installed.
        """
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
        """Compute the losses of generated pictures.

        Args:
            prediction: Generated pictures (B, 3, H, W) in 0..1.
            driving: The driving frames, of the same shape.
            discriminator: For the adversarial losses; None leaves them out.
            keypoint_maps: Gaussians around the key points (B, K, H, W), for a discriminator that sees them.

        Returns:
            Weighted losses by name, scalars.
        """
        losses = {}
        pictures, targets = self.pyramid(prediction), self.pyramid(driving)
        if self.perceptual is not None:
            losses["perceptual"] = self.config.perceptual_weight * self.perceptual(pictures, targets)
        if self.config.pixel_weight:
            errors = [(p - t).abs().mean() for p, t in zip(pictures, targets, strict=True)]
            losses["pixel"] = self.config.pixel_weight * torch.stack(errors).sum()
        if discriminator is not None:
            losses |= self._adversarial_losses(prediction, driving, discriminator, keypoint_maps)
        return losses

    def _adversarial_losses(
        self, prediction: Tensor, driving: Tensor, discriminator: Discriminator, keypoint_maps: Tensor | None
    ) -> dict[str, Tensor]:
        fake = discriminator.judge(prediction, keypoint_maps)
        scores = [score_as_convincing(discriminator.loss, judgement.scores) for judgement in fake]
        losses = {"adversarial": self.adversarial_weight * torch.stack(scores).sum()}
        if self.config.feature_matching_weight:
            with torch.no_grad():
                real = discriminator.judge(driving, keypoint_maps)
            losses["feature_matching"] = self.config.feature_matching_weight * match_features(fake, real)
        return losses


def check_weights(table: str, config: Any) -> None:
    """Check that no weight of a loss is negative.

    Args:
        table: Name of the configuration in a recipe, for the error.
        config: A configuration; its fields that end in `_weight` are checked.

    Raises:
        ConfigError: A weight is negative.
    """
    names = [field.name for field in dataclasses.fields(config) if field.name.endswith("_weight")]
    check_ranges(table, config, **dict.fromkeys(names, (0, None)))
