"""Face vid2vid as a coarse generator: absolute or relative motion, head angles set by hand (free view)."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor, nn

from fadm.coarse.face_vid2vid.generator import VolumeGenerator
from fadm.coarse.face_vid2vid.head_pose import HeadPose, HeadPoseEstimator, pose_keypoints, turn_head
from fadm.coarse.face_vid2vid.keypoint_detector import CanonicalKeypointDetector, LiftingHourglass
from fadm.coarse.face_vid2vid.spade import SpadeDecoder
from fadm.coarse.keypoints import Keypoints, measure_movement_scale, transfer_motion
from fadm.coarse.layers import (
    ConvBlock,
    Hourglass,
    ImageDecoder,
    ImageEncoder,
    check_sides,
    plan_channels,
)
from fadm.coarse.motion import DenseMotion


@dataclass(frozen=True, kw_only=True)
class FaceVid2VidConfig:
    """Sizes of Face vid2vid; the defaults are the released vox-256 network's (the PyTorch reimplementation).

    Attributes:
        num_keypoints: Number of keypoints.
        image_channels: Channels of the pictures.
        keypoint_width: Channels of the keypoint detector's first level, doubled by each block.
        keypoint_max_channels: Upper limit of its channels.
        keypoint_blocks: Number of its halvings.
        keypoint_downsampling: Factor by which pictures shrink before it.
        keypoint_volume_channels: Channels of its volume.
        keypoint_depth: Planes of its volume.
        temperature: Temperature of the heatmaps' softmax.
        head_stem_channels: Channels of the head pose estimator's first convolution.
        head_stage_channels: Channels of each of its stages.
        head_stage_blocks: Number of residual blocks of each of its stages.
        head_bins: Number of bins of each angle.
        motion_width: Channels of the dense motion network's first level, doubled by each block.
        motion_max_channels: Upper limit of its channels.
        motion_blocks: Number of its halvings.
        motion_reduced_channels: Channels of the volume that it warps.
        has_occlusion_map: Whether it predicts an occlusion map.
        generator_width: Channels of the generator's first level, doubled by each block.
        generator_max_channels: Upper limit of its channels.
        generator_blocks: Number of its halvings.
        volume_channels: Channels of the appearance volume.
        volume_depth: Planes of the appearance volume.
        volume_blocks: Number of residual blocks on the appearance volume.
        decoder: Decoder of the generator, plain or with spatially-adaptive normalization (SPADE).
        bottleneck_blocks: Number of residual blocks in the decoder.
        spade_hidden_channels: Hidden channels of each SPADE normalization.
    """

    num_keypoints: int = 15
    image_channels: int = 3
    keypoint_width: int = 32
    keypoint_max_channels: int = 1024
    keypoint_blocks: int = 5
    keypoint_downsampling: int = 4
    keypoint_volume_channels: int = 1024
    keypoint_depth: int = 16
    temperature: float = 0.1
    head_stem_channels: int = 64
    head_stage_channels: tuple[int, ...] = (256, 512, 1024, 2048)
    head_stage_blocks: tuple[int, ...] = (3, 3, 5, 2)
    head_bins: int = 66
    motion_width: int = 32
    motion_max_channels: int = 1024
    motion_blocks: int = 5
    motion_reduced_channels: int = 4
    has_occlusion_map: bool = True
    generator_width: int = 64
    generator_max_channels: int = 512
    generator_blocks: int = 2
    volume_channels: int = 32
    volume_depth: int = 16
    volume_blocks: int = 6
    decoder: Literal["plain", "spade"] = "plain"
    bottleneck_blocks: int = 6
    spade_hidden_channels: int = 128

    @property
    def side_multiple(self) -> int:
        """Number of pixels that has to divide both sides of a picture."""
        return math.lcm(
            self.keypoint_downsampling * 2**self.keypoint_blocks,
            2 ** (self.generator_blocks + self.motion_blocks),
        )


@dataclass(frozen=True)
class FaceVid2VidState:
    """An encoded source, as `FaceVid2Vid.prepare` and `FaceVid2Vid.anchor` return it.

    Attributes:
        volume: Appearance volume (B, C, D, h, w).
        canonical: Canonical keypoints (B, K, 3).
        pose: Head pose and expression of the source.
        anchor: Head pose of the driving frame that shows the source's pose; None for absolute motion.
        movement_scale: Factor of relative movements, a number or (B, 1, 1).
    """

    volume: Tensor
    canonical: Tensor
    pose: HeadPose
    anchor: HeadPose | None = None
    movement_scale: Tensor | float = 1.0


def _build_keypoint_detector(config: FaceVid2VidConfig) -> CanonicalKeypointDetector:
    """Build the detector of canonical keypoints."""
    hourglass = LiftingHourglass(
        config.image_channels,
        config.keypoint_width,
        config.keypoint_max_channels,
        config.keypoint_blocks,
        config.keypoint_volume_channels,
        config.keypoint_depth,
    )
    return CanonicalKeypointDetector(
        config.num_keypoints,
        config.image_channels,
        hourglass,
        downsampling=config.keypoint_downsampling,
        temperature=config.temperature,
    )


def _build_head_pose_estimator(config: FaceVid2VidConfig) -> HeadPoseEstimator:
    """Build the estimator of head pose and expression."""
    return HeadPoseEstimator(
        config.num_keypoints,
        config.image_channels,
        config.head_bins,
        config.head_stem_channels,
        config.head_stage_channels,
        config.head_stage_blocks,
    )


def _build_dense_motion(config: FaceVid2VidConfig) -> DenseMotion:
    """Build the 3-D dense motion network."""
    reduced = config.motion_reduced_channels
    hourglass = Hourglass(
        3,
        (config.num_keypoints + 1) * (reduced + 1),
        config.motion_width,
        config.motion_max_channels,
        config.motion_blocks,
    )
    channels = hourglass.out_channels
    return DenseMotion(
        3,
        config.num_keypoints,
        ConvBlock(3, config.volume_channels, reduced, 1),
        nn.Sequential(hourglass, ConvBlock(3, channels, channels, 3)),
        channels,
        depth=config.volume_depth,
        has_occlusion_map=config.has_occlusion_map,
    )


def _build_generator(config: FaceVid2VidConfig) -> VolumeGenerator:
    """Build the generator with the plain or the SPADE decoder."""
    sizes = (
        config.image_channels,
        config.generator_width,
        config.generator_max_channels,
        config.generator_blocks,
    )
    decoder: nn.Module
    if config.decoder == "spade":
        decoder = SpadeDecoder(*sizes, config.bottleneck_blocks, config.spade_hidden_channels)
    else:
        decoder = ImageDecoder(*sizes, config.bottleneck_blocks)
    return VolumeGenerator(
        ImageEncoder(*sizes),
        decoder,
        plan_channels(*sizes[1:])[-1],
        config.volume_channels,
        config.volume_depth,
        config.volume_blocks,
    )


def place_keypoints(state: FaceVid2VidState, driving: HeadPose, angles: dict[str, float | None]) -> Keypoints:
    """Place the keypoints of the frames to generate.

    In relative motion the angles replace those of source, driver and anchor alike, so the face reaches them exactly.

    Args:
        state: The encoded source.
        driving: Head poses of B driving frames.
        angles: Angles in degrees set by hand, by name (yaw, pitch or roll); None follows the driver.

    Returns:
        Keypoints with positions (B, K, 3).
    """
    keypoints = pose_keypoints(state.canonical, turn_head(driving, angles))
    if state.anchor is None:
        return keypoints
    source = pose_keypoints(state.canonical, turn_head(state.pose, angles))
    anchor = pose_keypoints(state.canonical, turn_head(state.anchor, angles))
    return transfer_motion(source, keypoints, anchor, state.movement_scale)


class FaceVid2Vid(nn.Module):
    """Face vid2vid (arXiv 2011.15126): `prepare` a source once, then `drive` it with any frames, from any view.

    Args:
        config: Sizes of the model, those of the released vox-256 network if None.
    """

    def __init__(self, config: FaceVid2VidConfig | None = None) -> None:
        super().__init__()
        self.config = config or FaceVid2VidConfig()
        self.keypoint_detector = _build_keypoint_detector(self.config)
        self.head_pose = _build_head_pose_estimator(self.config)
        self.dense_motion = _build_dense_motion(self.config)
        self.generator = _build_generator(self.config)

    def prepare(self, source: Tensor) -> FaceVid2VidState:
        """Encode the source, for absolute motion.

        Args:
            source: Pictures (B, 3, H, W) in [0, 1].

        Returns:
            The state for `anchor` and `drive`.

        Raises:
            OptionError: A side is not a multiple of `config.side_multiple`.
        """
        check_sides(source, self.config.side_multiple)
        return FaceVid2VidState(self.generator.encode(source), self.keypoint_detector(source), self.head_pose(source))

    def anchor(self, state: FaceVid2VidState, frame: Tensor, *, adapt_scale: bool = True) -> FaceVid2VidState:
        """Make the motion relative to a driving frame that shows the source's pose.

        Args:
            state: The encoded source.
            frame: The driving frame (B, 3, H, W) in [0, 1].
            adapt_scale: Whether movements are scaled by the ratio of the two faces' sizes.

        Returns:
            The state for relative motion.

        Raises:
            OptionError: The keypoints lie on one plane.
        """
        anchor = self.head_pose(frame)
        if not adapt_scale:
            return replace(state, anchor=anchor, movement_scale=1.0)
        source_points = pose_keypoints(state.canonical, state.pose).positions
        anchor_points = pose_keypoints(state.canonical, anchor).positions
        return replace(state, anchor=anchor, movement_scale=measure_movement_scale(source_points, anchor_points))

    def drive(
        self,
        state: FaceVid2VidState,
        driving: Tensor,
        *,
        yaw: float | None = None,
        pitch: float | None = None,
        roll: float | None = None,
    ) -> Tensor:
        """Move the source as the driving frames move.

        Args:
            state: The encoded source; one source serves frames of any batch size.
            driving: Driving frames (B, 3, H, W) in [0, 1].
            yaw: Yaw of all frames in degrees; None follows the driver.
            pitch: Pitch of all frames in degrees; None follows the driver.
            roll: Roll of all frames in degrees; None follows the driver.

        Returns:
            Coarse frames (B, 3, H, W) in [0, 1].
        """
        angles = {"yaw": yaw, "pitch": pitch, "roll": roll}
        source = pose_keypoints(state.canonical, state.pose)
        keypoints = place_keypoints(state, self.head_pose(driving), angles)
        motion = self.dense_motion(state.volume, source, keypoints)
        return self.generator(state.volume, motion)
