"""Head rotation, translation and expression, and the keypoints that follow from them (Face vid2vid eq. 1)."""

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
    """Head pose and expression of a batch.

    Attributes:
        yaw: Rotation about the vertical axis (B,) in degrees.
        pitch: Rotation about the horizontal axis (B,) in degrees.
        roll: Rotation in the picture's plane (B,) in degrees.
        translation: Shift of all keypoints (B, 3).
        expression: Shift of each keypoint (B, K, 3).
    """

    yaw: Tensor
    pitch: Tensor
    roll: Tensor
    translation: Tensor
    expression: Tensor


def turn_head(pose: HeadPose, angles: dict[str, float | None]) -> HeadPose:
    """Replace angles of a head pose.

    Args:
        pose: The head pose.
        angles: New angles in degrees by name (yaw, pitch or roll); None keeps the pose's own.

    Returns:
        The head pose with the given angles.
    """
    given = {name: torch.full_like(pose.yaw, angle) for name, angle in angles.items() if angle is not None}
    return replace(pose, **given)


class Bottleneck(nn.Module):
    """Residual block of 1x1, 3x3 and 1x1 convolutions with a quarter of the channels inside.

    Args:
        channels: Channels of input and output.
        stride: 2 to halve the size, 1 to keep it.
    """

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
        """Apply the block.

        Args:
            x: Features (B, channels, H, W).

        Returns:
            Features (B, channels, H / stride, W / stride).
        """
        return F.relu(self.expand(self.spatial(self.reduce(x))) + self.shortcut(x))


class Stage(nn.Module):
    """Projection to more channels, an optional halving block, then residual blocks.

    Args:
        in_channels: Channels of the input.
        channels: Channels of the output.
        num_blocks: Number of residual blocks that keep the size.
        halves: Whether the stage halves the size.
    """

    def __init__(self, in_channels: int, channels: int, num_blocks: int, *, halves: bool) -> None:
        super().__init__()
        self.project = ConvBlock(2, in_channels, channels, 1)
        self.down = Bottleneck(channels, stride=2) if halves else nn.Identity()
        self.blocks = nn.Sequential(*(Bottleneck(channels) for _ in range(num_blocks)))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the stage.

        Args:
            x: Features (B, in_channels, H, W).

        Returns:
            Features (B, channels, H, W), or (B, channels, H / 2, W / 2) if the stage halves.
        """
        return self.blocks(self.down(self.project(x)))


class HeadPoseEstimator(nn.Module):
    """ResNet with five linear heads; each angle is the mean over bins of 3 degrees.

    Args:
        num_keypoints: Number of keypoints K.
        image_channels: Channels of the picture.
        num_bins: Number of bins of each angle.
        stem_channels: Channels of the first convolution.
        stage_channels: Channels of each stage.
        stage_blocks: Number of residual blocks of each stage.
    """

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
        """Compute the features that the heads take.

        Args:
            image: Pictures (B, 3, H, W) in [0, 1].

        Returns:
            Features (B, C), averaged over space.
        """
        x = F.max_pool2d(self.stem(image), 3, stride=2, padding=1)
        return self.stages(x).mean(dim=(-2, -1))

    def forward(self, image: Tensor) -> HeadPose:
        """Estimate the head poses of pictures.

        Args:
            image: Pictures (B, 3, H, W) in [0, 1].

        Returns:
            Head pose and expression, float32.
        """
        features = self.encode(image)
        return HeadPose(
            yaw=expect_degrees(self.yaw(features)),
            pitch=expect_degrees(self.pitch(features)),
            roll=expect_degrees(self.roll(features)),
            translation=self.translation(features).float(),
            expression=self.expression(features).float().unflatten(1, (self.num_keypoints, 3)),
        )


def expect_degrees(logits: Tensor) -> Tensor:
    """Take the mean angle of a distribution over bins.

    Args:
        logits: Logits of the bins (B, num_bins).

    Returns:
        Angles (B,) in degrees; the bins start at -99 in steps of 3.
    """
    probabilities = torch.softmax(logits.float(), dim=1)
    bins = torch.arange(logits.shape[1], device=logits.device, dtype=probabilities.dtype)
    return (probabilities * bins).sum(dim=1) * BIN_DEGREES + FIRST_BIN_DEGREES


def rotation_matrix(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    """Make the rotation R_pitch R_yaw R_roll, about x, y and z.

    Args:
        yaw: Angles about y (B,) in degrees.
        pitch: Angles about x (B,) in degrees.
        roll: Angles about z (B,) in degrees.

    Returns:
        Rotations (B, 3, 3).
    """
    cos_x, cos_y, cos_z = (torch.cos(angle * RADIANS_PER_DEGREE) for angle in (pitch, yaw, roll))
    sin_x, sin_y, sin_z = (torch.sin(angle * RADIANS_PER_DEGREE) for angle in (pitch, yaw, roll))
    one, zero = torch.ones_like(cos_x), torch.zeros_like(cos_x)
    about_x = torch.stack([one, zero, zero, zero, cos_x, -sin_x, zero, sin_x, cos_x], dim=-1)
    about_y = torch.stack([cos_y, zero, sin_y, zero, one, zero, -sin_y, zero, cos_y], dim=-1)
    about_z = torch.stack([cos_z, -sin_z, zero, sin_z, cos_z, zero, zero, zero, one], dim=-1)
    about_x, about_y, about_z = (matrix.unflatten(-1, (3, 3)) for matrix in (about_x, about_y, about_z))
    return multiply(multiply(about_x, about_y), about_z)


def rotation_angles(rotation: Tensor) -> Tensor:
    """Invert `rotation_matrix`, for yaws within 90 degrees.

    Args:
        rotation: Rotations (B, 3, 3).

    Returns:
        Yaw, pitch and roll (B, 3) in degrees.
    """
    yaw = rotation[:, 0, 2].clamp(-1, 1).asin()
    pitch = torch.atan2(-rotation[:, 1, 2], rotation[:, 2, 2])
    roll = torch.atan2(-rotation[:, 0, 1], rotation[:, 0, 0])
    return torch.stack([yaw, pitch, roll], dim=1) / RADIANS_PER_DEGREE


def pose_keypoints(canonical: Tensor, pose: HeadPose) -> Keypoints:
    """Pose canonical keypoints: x_k = R x_c,k + t + delta_k (Face vid2vid eq. 1).

    Args:
        canonical: Canonical keypoints (B or 1, K, 3).
        pose: Head poses and expressions of B frames.

    Returns:
        Keypoints with positions (B, K, 3), without jacobians.
    """
    rotation = rotation_matrix(pose.yaw, pose.pitch, pose.roll)
    rotated = multiply(canonical, rotation.transpose(-1, -2))
    return Keypoints(rotated + pose.translation.unsqueeze(1) + pose.expression)
