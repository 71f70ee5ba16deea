"""The attribute-guided conditioning network, AGCN (paper, section 3.2): P_cond(a, m, t), a picture for the denoiser.

What does not depend on t is computed once for each frame (`encode`), the rest in each step (`fuse`).
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fadm.diffusion.blocks import NormalizedConv, ResidualBlock, to_patches
from fadm.diffusion.loss import ErrorName, measure_error
from fadm.errors import OptionError
from fadm.rendering.conditions import Conditions

MOTION_STRIDES = (8, 4, 2)  # coarse frames g_0, g_1, g_2 at 1/8, 1/4 and 1/2 of the size: K = 2
APPEARANCE_STRIDE = 8

ResizeMode = Literal["nearest", "area", "bilinear"]


@dataclass(frozen=True, kw_only=True)
class ConditionerConfig:
    """Configuration of the AGCN; where the paper gives no value, the released one (docs/fidelity.md).

    Attributes:
        patch: Side of a patch in pixels; pictures (B, 3, H, W) are processed as (B, 3 patch^2, H / patch, W / patch).
        attribute_channels: Numbers of the attributes: expression and pose.
        time_channels: Channels of the embedded step.
        channels: Channels of the features.
        kernel_size: Kernel of the convolutions from and to pictures, in patches.
        alpha: Offset of the motion weight in the level weights.
        pooled_difference: Share of the pooled attribute difference in the motion weight.
        appearance_in_motion: Share of the appearance in each level's motion features.
        appearance_in_fusion: Share of the appearance that is added to the coarse frame's before the fusion.
        downsampling: Interpolation to lower resolutions.
        appearance_upsampling: Interpolation back, for the appearance picture.
        motion_upsampling: Interpolation back, for the coarse frames of the motion condition.
        use_appearance: False replaces the appearance condition by zeros (ablation).
        use_motion: False replaces the motion condition by zeros (ablation).
    """

    patch: int = 1
    attribute_channels: int = 56
    time_channels: int = 64
    channels: int = 16
    kernel_size: int = 7
    alpha: float = 0.3
    pooled_difference: float = 0.4
    appearance_in_motion: float = 0.4
    appearance_in_fusion: float = 0.2
    downsampling: ResizeMode = "nearest"
    appearance_upsampling: ResizeMode = "nearest"
    motion_upsampling: ResizeMode = "bilinear"
    use_appearance: bool = True
    use_motion: bool = True


@dataclass(frozen=True)
class ConditionFeatures:
    """Features of B frames that do not depend on the step; H and W count patches.

    Attributes:
        appearance: P_conv of the appearance picture (B, C, H, W).
        appearance_coarse: P_conv of the coarse frame (B, C, H, W).
        motion: P_motion(g_i, a) for each level, lowest resolution first (B, K + 1, C, H, W).
        attribute_difference: The source's attributes minus the driving ones (B, A).
    """

    appearance: Tensor
    appearance_coarse: Tensor
    motion: Tensor
    attribute_difference: Tensor


class AppearanceEncoder(nn.Module):
    """P_conv of the paper: features of a coarsened picture's colours."""

    def __init__(self, picture_channels: int, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(picture_channels, channels, kernel_size, padding=kernel_size // 2)
        self.residual1 = ResidualBlock(channels, channels, groups=channels)
        self.residual2 = ResidualBlock(channels, channels, groups=channels)

    def forward(self, picture: Tensor) -> Tensor:
        """Encode coarsened pictures.

        Args:
            picture: Pictures in patches (B, P, H, W).

        Returns:
            Features (B, C, H, W).
        """
        h = F.relu(self.conv(picture))
        h = F.relu(self.residual1(h))
        return F.silu(self.residual2(h))


class MotionEncoder(nn.Module):
    """The convolutions of P_motion, for one coarsened frame."""

    def __init__(self, picture_channels: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(picture_channels, channels, 3, padding=1)
        self.block = NormalizedConv(channels, channels, groups=channels)

    def forward(self, picture: Tensor) -> Tensor:
        """Encode coarse frames of one level.

        Args:
            picture: Pictures in patches (B, P, H, W).

        Returns:
            Features (B, C, H, W).
        """
        return self.block(self.conv(picture))


class MotionWeight(nn.Module):
    """w = f(attribute difference, t) of the paper, one number per condition channel."""

    def __init__(self, config: ConditionerConfig) -> None:
        super().__init__()
        self.channels, self.pooled_difference = config.channels, config.pooled_difference
        self.time = nn.Linear(config.time_channels, config.channels)
        self.hidden = nn.Linear(config.attribute_channels + config.channels, config.channels)
        self.out = nn.Linear(config.channels, config.channels)

    def forward(self, attribute_difference: Tensor, time: Tensor) -> Tensor:
        """Compute the motion weight.

        Args:
            attribute_difference: The source's attributes minus the driving ones (B, A).
            time: Embedded steps (B, time_channels).

        Returns:
            w (B, C).
        """
        joined = torch.cat((attribute_difference, self.time(F.silu(time))), dim=1)  # (B, A + C)
        gate = torch.sigmoid(self.out(F.relu(self.hidden(F.silu(joined)))))  # (B, C)
        pooled = F.adaptive_max_pool1d(attribute_difference[:, None], self.channels)[:, 0]  # (B, C)
        return gate + self.pooled_difference * pooled


class Fusion(nn.Module):
    """Joins motion and appearance features to the condition, a picture."""

    def __init__(self, channels: int, picture_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.residual1 = ResidualBlock(channels, channels, groups=channels)
        self.residual2 = ResidualBlock(channels, channels, groups=channels)
        self.residual3 = ResidualBlock(channels, channels, groups=channels)
        self.conv = nn.Conv2d(channels, picture_channels, kernel_size, padding=kernel_size // 2)

    def forward(self, features: Tensor) -> Tensor:
        """Draw the condition.

        Args:
            features: Motion and appearance features (B, 2C, H, W).

        Returns:
            The condition, a picture in patches (B, P, H, W) in [0, 1].
        """
        h = F.relu(self.residual1(features))
        h = F.relu(self.residual2(h))
        h = F.relu(self.residual3(h))
        return torch.sigmoid(self.conv(h))


def level_weights(w: Tensor, num_levels: int, alpha: float) -> Tensor:
    """Weigh the levels: w_i = (K - i)/K exp(w - alpha) + i/K exp(alpha - w) for i = 0..K (paper, motion condition).

    Large motion favours the low resolutions, small motion the high ones.

    Args:
        w: Motion weight (B, C).
        num_levels: Number of levels, K + 1.
        alpha: Offset of the motion weight.

    Returns:
        Weights (B, K + 1, C), of the lowest resolution first.
    """
    share = torch.linspace(0, 1, num_levels, device=w.device).view(1, -1, 1)  # i / K
    excess = (w - alpha)[:, None]
    return (1 - share) * excess.exp() + share * (-excess).exp()


def coarsen(picture: Tensor, stride: int, downsampling: ResizeMode, upsampling: ResizeMode) -> Tensor:
    """Reduce a picture and enlarge it to its size again.

    Args:
        picture: Pictures (B, 3, H, W).
        stride: Factor of the reduction.
        downsampling: Interpolation of the reduction.
        upsampling: Interpolation of the enlargement.

    Returns:
        Pictures (B, 3, H, W) without fine detail.
    """
    H, W = picture.shape[2:]
    return _resize(_resize(picture, (H // stride, W // stride), downsampling), (H, W), upsampling)


def _resize(picture: Tensor, size: tuple[int, int], mode: ResizeMode) -> Tensor:
    align_corners = False if mode == "bilinear" else None  # the other modes have no such choice
    return F.interpolate(picture, size=size, mode=mode, align_corners=align_corners)


def color_loss(features: ConditionFeatures, error: ErrorName = "squared") -> Tensor:
    """Compute L_color (paper, section 3.2): the error of the coarse frame's appearance features.

    Args:
        features: Features of B frames.
        error: Kind of the error.

    Returns:
        The loss, a scalar.
    """
    return measure_error(error, features.appearance_coarse, features.appearance)


class AttributeGuidedConditioner(nn.Module):
    """P_cond of the paper: draws the picture that guides the denoiser; P = 3 patch^2 are a patch's channels."""

    def __init__(self, config: ConditionerConfig) -> None:
        super().__init__()
        self.config = config
        picture_channels = 3 * config.patch**2
        self.appearance = AppearanceEncoder(picture_channels, config.channels, config.kernel_size)
        self.motion = MotionEncoder(picture_channels, config.channels)
        self.motion_weight = MotionWeight(config)
        self.fusion = Fusion(2 * config.channels, picture_channels, config.kernel_size)

    def forward(self, conditions: Conditions, time: Tensor) -> Tensor:
        """Compute the condition.

        Args:
            conditions: Conditions of B frames.
            time: Embedded steps (B, time_channels).

        Returns:
            The condition, a picture in patches (B, P, H, W) in [0, 1].

        Raises:
            OptionError: The number of attributes does not fit.
        """
        return self.fuse(self.encode(conditions), time)

    def encode(self, conditions: Conditions) -> ConditionFeatures:
        """Compute the features that all steps share.

        Args:
            conditions: Conditions of B frames.

        Returns:
            The features.

        Raises:
            OptionError: The number of attributes does not fit.
        """
        difference = conditions.attribute_difference
        if difference.shape[1] != self.config.attribute_channels:
            raise OptionError(
                f"{difference.shape[1]} attributes were given, but this conditioner was made for "
                f"{self.config.attribute_channels}; use the attribute model that it was trained with"
            )
        appearance_coarse = self._encode_appearance(conditions.coarse)
        is_own_appearance = conditions.appearance is conditions.coarse
        appearance = appearance_coarse if is_own_appearance else self._encode_appearance(conditions.appearance)
        return ConditionFeatures(
            appearance, appearance_coarse, self._encode_motion(conditions.coarse, appearance), difference
        )

    def fuse(self, features: ConditionFeatures, time: Tensor) -> Tensor:
        """Compute the condition of one step.

        Args:
            features: Features of B frames, from `encode`.
            time: Embedded steps (B, time_channels).

        Returns:
            The condition, a picture in patches (B, P, H, W) in [0, 1].
        """
        w = self.motion_weight(features.attribute_difference, time)  # (B, C)
        weights = level_weights(w, len(MOTION_STRIDES), self.config.alpha)  # (B, K + 1, C)
        motion = torch.einsum("bkc,bkchw->bchw", weights.to(features.motion.dtype), features.motion)
        appearance = features.appearance_coarse + self.config.appearance_in_fusion * features.appearance
        return self.fusion(torch.cat((motion, appearance), dim=1))

    def _encode_appearance(self, picture: Tensor) -> Tensor:
        """Compute P_conv(down(picture)) (B, C, H, W); zero without the appearance condition."""
        config = self.config
        if not config.use_appearance:
            height, width = (size // config.patch for size in picture.shape[2:])
            return picture.new_zeros(picture.shape[0], config.channels, height, width)
        colors = coarsen(picture, APPEARANCE_STRIDE, config.downsampling, config.appearance_upsampling)
        return self.appearance(to_patches(colors, config.patch))

    def _encode_motion(self, coarse: Tensor, appearance: Tensor) -> Tensor:
        """Compute P_motion(g_i, a) for i = 0..K (B, K + 1, C, H, W); zero without the motion condition."""
        config = self.config
        if not config.use_motion:
            return torch.zeros_like(appearance)[:, None].repeat(1, len(MOTION_STRIDES), 1, 1, 1)
        levels = [
            to_patches(coarsen(coarse, stride, config.downsampling, config.motion_upsampling), config.patch)
            for stride in MOTION_STRIDES
        ]
        return torch.stack([self.motion(level) + config.appearance_in_motion * appearance for level in levels], dim=1)
