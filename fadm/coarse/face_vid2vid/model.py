"""Face vid2vid as a coarse generator: parts put together, absolute or relative motion, free view."""

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

    `*_width` is the channels of the first level, doubled per block up to `*_max_channels`. Appearance is a
    volume of `volume_channels` and `volume_depth` planes.
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
        """Pixels that each side of a picture has to be a multiple of."""
        return math.lcm(
            self.keypoint_downsampling * 2**self.keypoint_blocks,
            2 ** (self.generator_blocks + self.motion_blocks),
        )


@dataclass(frozen=True)
class FaceVid2VidState:
    """What `prepare` keeps of a source: volume (B, C, D, h, w), canonical key points (B, K, 3), head pose.

    Motion is relative when there is an anchor: the driver's head pose in the frame that shows the source's
    pose. movement_scale (B, 1, 1) or a number.
    """

    volume: Tensor
    canonical: Tensor
    pose: HeadPose
    anchor: HeadPose | None = None
    movement_scale: Tensor | float = 1.0


def build_keypoint_detector(config: FaceVid2VidConfig) -> CanonicalKeypointDetector:
    """The canonical key point detector of a configuration."""
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


def build_head_pose_estimator(config: FaceVid2VidConfig) -> HeadPoseEstimator:
    """The head pose and expression estimator of a configuration."""
    return HeadPoseEstimator(
        config.num_keypoints,
        config.image_channels,
        config.head_bins,
        config.head_stem_channels,
        config.head_stage_channels,
        config.head_stage_blocks,
    )


def build_dense_motion(config: FaceVid2VidConfig) -> DenseMotion:
    """The 3-D dense motion network of a configuration."""
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


def build_generator(config: FaceVid2VidConfig) -> VolumeGenerator:
    """The generator of a configuration, with the plain or the SPADE decoder."""
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
    """Key points (B, K, 3) of the frames to make, from the driver's pose and the angles given by hand.

    In relative motion the angles turn source, driver and anchor alike, so that the face reaches them exactly.
    """
    keypoints = pose_keypoints(state.canonical, turn_head(driving, angles))
    if state.anchor is None:
        return keypoints
    source = pose_keypoints(state.canonical, turn_head(state.pose, angles))
    anchor = pose_keypoints(state.canonical, turn_head(state.anchor, angles))
    return transfer_motion(source, keypoints, anchor, state.movement_scale)


class FaceVid2Vid(nn.Module):
    """Face vid2vid (arXiv 2011.15126): `prepare` a source once, `drive` it with any frames, from any view."""

    def __init__(self, config: FaceVid2VidConfig | None = None) -> None:
        super().__init__()
        self.config = config or FaceVid2VidConfig()
        self.keypoint_detector = build_keypoint_detector(self.config)
        self.head_pose = build_head_pose_estimator(self.config)
        self.dense_motion = build_dense_motion(self.config)
        self.generator = build_generator(self.config)

    def prepare(self, source: Tensor) -> FaceVid2VidState:
        """Encode the source (B, 3, H, W) in 0..1, for absolute motion. OptionError if sides do not fit."""
        check_sides(source, self.config.side_multiple)
        return FaceVid2VidState(self.generator.encode(source), self.keypoint_detector(source), self.head_pose(source))

    def anchor(self, state: FaceVid2VidState, frame: Tensor, *, adapt_scale: bool = True) -> FaceVid2VidState:
        """Make the motion relative to a driving `frame` (B, 3, H, W) that shows the source's pose.

        With `adapt_scale` movements grow or shrink by the ratio of the two faces' sizes. Raises OptionError
        if the key points have no size.
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
        """Move the source as the driving frames (B, 3, H, W) do -> coarse frames (B, 3, H, W) in 0..1.

        An angle in degrees turns the head to it, whatever the driver does. A state of one source serves
        frames of any batch size.
        """
        angles = {"yaw": yaw, "pitch": pitch, "roll": roll}
        source = pose_keypoints(state.canonical, state.pose)
        keypoints = place_keypoints(state, self.head_pose(driving), angles)
        motion = self.dense_motion(state.volume, source, keypoints)
        return self.generator(state.volume, motion)
