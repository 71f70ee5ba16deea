"""Head rotation, translation and expression, and the key points they make (Face vid2vid eq. 1)."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fadm.coarse.keypoints import Keypoints, multiply
from fadm.coarse.layers import ConvBlock

BIN_DEGREES = 3
FIRST_BIN_DEGREES = -99
# The released weights were trained with this pi (docs/fidelity.md).
RADIANS_PER_DEGREE = 3.14 / 180


@dataclass(frozen=True)
class HeadPose:
    """yaw, pitch, roll (B,) in degrees; translation (B, 3); expression (B, K, 3), shifts of key points."""

    yaw: Tensor
    pitch: Tensor
    roll: Tensor
    translation: Tensor
    expression: Tensor


def turn_head(pose: HeadPose, angles: dict[str, float | None]) -> HeadPose:
    """The pose with its yaw, pitch or roll replaced by the angle in degrees of that name, unless None."""
    given = {name: torch.full_like(pose.yaw, angle) for name, angle in angles.items() if angle is not None}
    return replace(pose, **given)


class Bottleneck(nn.Module):
    """Residual block 1x1, 3x3, 1x1 with a quarter of the channels inside; halves the size with `stride` 2."""

    def __init__(self, channels: int, *, stride: int = 1) -> None:
        super().__init__()
        inner = channels // 4
        self.reduce = ConvBlock(2, channels, inner, 1)
        self.spatial = ConvBlock(2, inner, inner, 3, stride=stride)
        self.expand = ConvBlock(2, inner, channels, 1, activation=nn.Identity())
        self.shortcut = (
            ConvBlock(2, channels, channels, 1, stride=stride, activation=nn.Identity())
            if stride > 1
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H / stride, W / stride)."""
        return F.relu(self.expand(self.spatial(self.reduce(x))) + self.shortcut(x))


class Stage(nn.Module):
    """A projection to more channels, a halving block if asked for, then `num_blocks` blocks."""

    def __init__(self, in_channels: int, channels: int, num_blocks: int, *, halves: bool) -> None:
        super().__init__()
        self.project = ConvBlock(2, in_channels, channels, 1)
        self.down = Bottleneck(channels, stride=2) if halves else nn.Identity()
        self.blocks = nn.Sequential(*(Bottleneck(channels) for _ in range(num_blocks)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H, W) or (B, C', H / 2, W / 2)."""
        return self.blocks(self.down(self.project(x)))


class HeadPoseEstimator(nn.Module):
    """ResNet with five linear heads; each angle is the mean over bins of 3 degrees."""

    def __init__(
        self,
        num_keypoints: int,
        image_channels: int,
        num_bins: int,
        stem_channels: int,
        stage_channels: tuple[int, ...],
        stage_blocks: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.num_keypoints = num_keypoints
        self.stem = ConvBlock(2, image_channels, stem_channels, 7, stride=2)
        inputs = (stem_channels, *stage_channels[:-1])
        self.stages = nn.Sequential(
            *(
                Stage(in_channels, channels, num_blocks, halves=index > 0)
                for index, (in_channels, channels, num_blocks) in enumerate(
                    zip(inputs, stage_channels, stage_blocks, strict=True)
                )
            )
        )
        self.yaw = nn.Linear(stage_channels[-1], num_bins)
        self.pitch = nn.Linear(stage_channels[-1], num_bins)
        self.roll = nn.Linear(stage_channels[-1], num_bins)
        self.translation = nn.Linear(stage_channels[-1], 3)
        self.expression = nn.Linear(stage_channels[-1], 3 * num_keypoints)

    def encode(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in 0..1 -> (B, C), what the heads read."""
        x = F.max_pool2d(self.stem(image), 3, stride=2, padding=1)
        return self.stages(x).mean(dim=(-2, -1))

    def forward(self, image: Tensor) -> HeadPose:
        """(B, 3, H, W) in 0..1 -> head pose and expression, float32."""
        features = self.encode(image)
        return HeadPose(
            yaw=expect_degrees(self.yaw(features)),
            pitch=expect_degrees(self.pitch(features)),
            roll=expect_degrees(self.roll(features)),
            translation=self.translation(features).float(),
            expression=self.expression(features).float().unflatten(1, (self.num_keypoints, 3)),
        )


def expect_degrees(logits: Tensor) -> Tensor:
    """Mean angle of a distribution over bins: (B, bins) -> (B,) degrees, from -99 in steps of 3."""
    probabilities = torch.softmax(logits.float(), dim=1)
    bins = torch.arange(logits.shape[1], device=logits.device, dtype=probabilities.dtype)
    return (probabilities * bins).sum(dim=1) * BIN_DEGREES + FIRST_BIN_DEGREES


def rotation_matrix(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    """R_pitch R_yaw R_roll, about x, y and z: three (B,) in degrees -> (B, 3, 3)."""
    cos_x, cos_y, cos_z = (torch.cos(angle * RADIANS_PER_DEGREE) for angle in (pitch, yaw, roll))
    sin_x, sin_y, sin_z = (torch.sin(angle * RADIANS_PER_DEGREE) for angle in (pitch, yaw, roll))
    one, zero = torch.ones_like(cos_x), torch.zeros_like(cos_x)
    about_x = torch.stack([one, zero, zero, zero, cos_x, -sin_x, zero, sin_x, cos_x], dim=-1)
    about_y = torch.stack([cos_y, zero, sin_y, zero, one, zero, -sin_y, zero, cos_y], dim=-1)
    about_z = torch.stack([cos_z, -sin_z, zero, sin_z, cos_z, zero, zero, zero, one], dim=-1)
    about_x, about_y, about_z = (matrix.unflatten(-1, (3, 3)) for matrix in (about_x, about_y, about_z))
    return multiply(multiply(about_x, about_y), about_z)


def rotation_angles(rotation: Tensor) -> Tensor:
    """Inverse of `rotation_matrix` for yaws within 90 degrees: (B, 3, 3) -> yaw, pitch, roll (B, 3) in degrees."""
    yaw = rotation[:, 0, 2].clamp(-1, 1).asin()
    pitch = torch.atan2(-rotation[:, 1, 2], rotation[:, 2, 2])
    roll = torch.atan2(-rotation[:, 0, 1], rotation[:, 0, 0])
    return torch.stack([yaw, pitch, roll], dim=1) / RADIANS_PER_DEGREE


def pose_keypoints(canonical: Tensor, pose: HeadPose) -> Keypoints:
    """x_k = R x_c,k + t + delta_k (Face vid2vid eq. 1): canonical (B or 1, K, 3), a pose -> (B, K, 3)."""
    rotation = rotation_matrix(pose.yaw, pose.pitch, pose.roll)
    rotated = multiply(canonical, rotation.transpose(-1, -2))
    return Keypoints(rotated + pose.translation.unsqueeze(1) + pose.expression)
