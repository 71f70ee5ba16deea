"""A discriminator of overlapping patches, and the adversarial losses between it and a generator.

FOMM's released training (least squares, arXiv 1611.04076); Face vid2vid's appendix (hinge, arXiv 1705.02894).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from fadm.coarse.layers import plan_channels
from fadm.errors import OptionError
from fadm.training.losses.pyramid import Pyramid
from fadm.training.objective import Batch

LEAK = 0.2
KERNEL_SIZE = 4

AdversarialLoss = Literal["least_squares", "hinge"]


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig:
    """Sizes of the discriminator; the defaults are FOMM's released ones.

    Attributes:
        factors: Factors by which pictures shrink; each size has a network of its own.
        width: Channels of the first block (twice the released block expansion), doubled per block.
        max_channels: The largest number of channels.
        num_blocks: Blocks of each network.
        has_spectral_norm: Whether convolutions are normalised by their spectral norm (arXiv 1802.05957).
        sees_keypoints: Whether Gaussians around the driving key points are further channels of the input.
    """

    factors: tuple[int, ...] = (1,)
    width: int = 64
    max_channels: int = 512
    num_blocks: int = 4
    has_spectral_norm: bool = True
    sees_keypoints: bool = False


@dataclass(frozen=True)
class Judgement:
    """Output of one patch network.

    Attributes:
        scores: A score for each patch (B, 1, h, w); higher is more real.
        features: Output of each block (B, C, h, w), for feature matching.
    """

    scores: Tensor
    features: list[Tensor]


class PatchBlock(nn.Module):
    """4x4 convolution without padding, instance norm, leaky ReLU, halved by averaging."""

    def __init__(self, in_channels: int, out_channels: int, *, has_norm: bool, halves: bool, spectral: bool) -> None:
        super().__init__()
        conv = nn.Conv2d(in_channels, out_channels, KERNEL_SIZE)
        self.conv = spectral_norm(conv) if spectral else conv
        self.norm = nn.InstanceNorm2d(out_channels, affine=True) if has_norm else nn.Identity()
        self.halves = halves

    def forward(self, x: Tensor) -> Tensor:
        """Compute the block.

        Args:
            x: Features (B, C, H, W).

        Returns:
            Features (B, C', H - 3, W - 3), or half as high and wide.
        """
        x = F.leaky_relu(self.norm(self.conv(x)), LEAK)
        return F.avg_pool2d(x, 2) if self.halves else x


class PatchNetwork(nn.Module):
    """`num_blocks` blocks, the first without norm and the last without halving, and a 1x1 convolution."""

    def __init__(self, in_channels: int, config: DiscriminatorConfig) -> None:
        super().__init__()
        channels = [in_channels, *plan_channels(config.width, config.max_channels, config.num_blocks - 1)]
        last = config.num_blocks - 1
        self.blocks = nn.ModuleList(
            PatchBlock(
                channels[level],
                channels[level + 1],
                has_norm=level > 0,
                halves=level < last,
                spectral=config.has_spectral_norm,
            )
            for level in range(config.num_blocks)
        )
        score = nn.Conv2d(channels[-1], 1, 1)
        self.score = spectral_norm(score) if config.has_spectral_norm else score

    def forward(self, picture: Tensor) -> Judgement:
        """Score the patches of pictures.

        Args:
            picture: Pictures (B, C, H, W), key-point channels included.

        Returns:
            Scores and features.

        Raises:
            OptionError: The pictures are too small for the number of blocks.
        """
        self._check_size(picture)
        features = []
        x = picture
        for block in self.blocks:
            x = block(x)
            features.append(x)
        return Judgement(self.score(x).float(), features)

    def _check_size(self, picture: Tensor) -> None:
        smallest = KERNEL_SIZE + 1  # an instance norm needs two pixels
        for _ in self.blocks[1:]:
            smallest = 2 * smallest + KERNEL_SIZE - 1
        if min(picture.shape[2:]) < smallest:
            raise OptionError(
                f"the discriminator needs at least {smallest} px and got {picture.shape[3]}x{picture.shape[2]}: "
                "give it fewer blocks (discriminator.num_blocks), smaller factors (discriminator.factors) or larger "
                "pictures"
            )


class Discriminator(nn.Module):
    """One patch network for each size; `forward` gives the losses that the discriminator minimises."""

    def __init__(self, config: DiscriminatorConfig, num_keypoints: int, loss: AdversarialLoss) -> None:
        super().__init__()
        in_channels = 3 + (num_keypoints if config.sees_keypoints else 0)
        self.sees_keypoints = config.sees_keypoints
        self.loss = loss
        self.pyramid = Pyramid(3, config.factors)
        self.networks = nn.ModuleList(PatchNetwork(in_channels, config) for _ in config.factors)

    def judge(self, picture: Tensor, keypoint_maps: Tensor | None = None) -> list[Judgement]:
        """Score pictures at each size.

        Args:
            picture: Pictures (B, 3, H, W) in 0..1.
            keypoint_maps: Gaussians around the key points (B, K, H, W), for a discriminator that sees them.

        Returns:
            The output of each network.

        Raises:
            OptionError: The pictures are too small.
        """
        judgements = []
        for network, level in zip(self.networks, self.pyramid(picture), strict=True):
            x = level
            if self.sees_keypoints:
                assert keypoint_maps is not None
                maps = F.interpolate(keypoint_maps, size=level.shape[2:], mode="bilinear", align_corners=True)
                x = torch.cat([level, maps.to(level.dtype)], dim=1)
            judgements.append(network(x))
        return judgements

    def forward(self, batch: Batch, pictures: Batch) -> dict[str, Tensor]:
        """Compute the discriminator's losses on real and generated pictures.

        Args:
            batch: `driving` (B, 3, H, W) in 0..1, the real pictures.
            pictures: `prediction` (B, 3, H, W) in 0..1, the generated ones; for a discriminator that sees key points
                also `keypoints` (B, K, H, W).

        Returns:
            `discriminator_real` and `discriminator_fake`, scalars.

        Raises:
            OptionError: The pictures are too small.
        """
        maps = pictures["keypoints"].detach() if self.sees_keypoints else None
        real = self.judge(batch["driving"], maps)
        fake = self.judge(pictures["prediction"].detach(), maps)
        real_loss = torch.stack([score_as_real(self.loss, j.scores) for j in real]).sum()
        fake_loss = torch.stack([score_as_fake(self.loss, j.scores) for j in fake]).sum()
        return {"discriminator_real": real_loss, "discriminator_fake": fake_loss}


def score_as_real(loss: AdversarialLoss, scores: Tensor) -> Tensor:
    """Compute the discriminator's loss on real pictures: (1 - s)^2, or max(0, 1 - s) for the hinge.

    Args:
        loss: The kind of loss.
        scores: Scores of any shape.

    Returns:
        The mean over the scores, a scalar.
    """
    return (1 - scores).square().mean() if loss == "least_squares" else F.relu(1 - scores).mean()


def score_as_fake(loss: AdversarialLoss, scores: Tensor) -> Tensor:
    """Compute the discriminator's loss on generated pictures: s^2, or max(0, 1 + s) for the hinge.

    Args:
        loss: The kind of loss.
        scores: Scores of any shape.

    Returns:
        The mean over the scores, a scalar.
    """
    return scores.square().mean() if loss == "least_squares" else F.relu(1 + scores).mean()


def score_as_convincing(loss: AdversarialLoss, scores: Tensor) -> Tensor:
    """Compute the generator's loss on its pictures: (1 - s)^2, or -s for the hinge.

    Args:
        loss: The kind of loss.
        scores: Scores of any shape.

    Returns:
        The mean over the scores, a scalar.
    """
    return (1 - scores).square().mean() if loss == "least_squares" else -scores.mean()


def match_features(fake: Sequence[Judgement], real: Sequence[Judgement]) -> Tensor:
    """Compute the feature matching loss: mean absolute differences of the discriminator's features (arXiv 1711.11585).

    Args:
        fake: The networks' outputs for generated pictures.
        real: Their outputs for real pictures.

    Returns:
        The sum over blocks and networks, a scalar.
    """
    pairs = [pair for f, r in zip(fake, real, strict=True) for pair in zip(f.features, r.features, strict=True)]
    return torch.stack([(fake_block - real_block).abs().float().mean() for fake_block, real_block in pairs]).sum()
