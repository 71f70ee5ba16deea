"""A discriminator that judges overlapping patches, and the losses that set it and a generator against each other.

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

    factors: by which pictures shrink, one network for each. width: channels of the first block (twice the
    released block expansion), doubled per block up to max_channels. sees_keypoints: Gaussians around the driving
    key points are channels beside the picture.
    """

    factors: tuple[int, ...] = (1,)
    width: int = 64
    max_channels: int = 512
    num_blocks: int = 4
    has_spectral_norm: bool = True
    sees_keypoints: bool = False


@dataclass(frozen=True)
class Judgement:
    """What one network says of pictures: scores (B, 1, h, w), a patch each, and the features of its blocks."""

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
        """(B, C, H, W) -> (B, C', H - 3, W - 3), or half of that."""
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
        """(B, C, H, W) -> scores and features. Raises OptionError for pictures that are too small."""
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
    """One network for each factor; its forward is what the discriminator minimises."""

    def __init__(self, config: DiscriminatorConfig, num_keypoints: int, loss: AdversarialLoss) -> None:
        super().__init__()
        in_channels = 3 + (num_keypoints if config.sees_keypoints else 0)
        self.sees_keypoints = config.sees_keypoints
        self.loss = loss
        self.pyramid = Pyramid(3, config.factors)
        self.networks = nn.ModuleList(PatchNetwork(in_channels, config) for _ in config.factors)

    def judge(self, picture: Tensor, keypoint_maps: Tensor | None = None) -> list[Judgement]:
        """Pictures (B, 3, H, W) and, for a discriminator that sees key points, their Gaussians (B, K, H, W)."""
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
        """Losses of judging batch["driving"] real and pictures["prediction"] made, both (B, 3, H, W) in 0..1.

        A discriminator that sees key points also takes pictures["keypoints"] (B, K, H, W).
        """
        maps = pictures["keypoints"].detach() if self.sees_keypoints else None
        real = self.judge(batch["driving"], maps)
        made = self.judge(pictures["prediction"].detach(), maps)
        real_loss = torch.stack([score_as_real(self.loss, j.scores) for j in real]).sum()
        made_loss = torch.stack([score_as_made(self.loss, j.scores) for j in made]).sum()
        return {"discriminator_real": real_loss, "discriminator_fake": made_loss}


def score_as_real(loss: AdversarialLoss, scores: Tensor) -> Tensor:
    """What the discriminator loses on real pictures: (1 - s)^2, or max(0, 1 - s) for the hinge; mean, a scalar."""
    return (1 - scores).square().mean() if loss == "least_squares" else F.relu(1 - scores).mean()


def score_as_made(loss: AdversarialLoss, scores: Tensor) -> Tensor:
    """What the discriminator loses on made pictures: s^2, or max(0, 1 + s) for the hinge; mean, a scalar."""
    return scores.square().mean() if loss == "least_squares" else F.relu(1 + scores).mean()


def score_as_convincing(loss: AdversarialLoss, scores: Tensor) -> Tensor:
    """What the generator loses on its pictures: (1 - s)^2, or -s for the hinge; mean, a scalar."""
    return (1 - scores).square().mean() if loss == "least_squares" else -scores.mean()


def match_features(made: Sequence[Judgement], real: Sequence[Judgement]) -> Tensor:
    """Mean absolute difference of the discriminator's features, summed over blocks and networks (arXiv 1711.11585)."""
    pairs = [pair for m, r in zip(made, real, strict=True) for pair in zip(m.features, r.features, strict=True)]
    return torch.stack([(made_block - real_block).abs().float().mean() for made_block, real_block in pairs]).sum()
