"""FOMM as a coarse generator: its parts put together, the source encoded once, absolute or relative."""

import math
from dataclasses import dataclass, replace

from torch import Tensor, nn

from fadm.coarse.fomm.generator import Generator
from fadm.coarse.fomm.keypoint_detector import KeypointDetector
from fadm.coarse.keypoints import Keypoints, measure_movement_scale, transfer_motion
from fadm.coarse.layers import AntiAliasDownsample, Hourglass, ImageDecoder, ImageEncoder, check_sides
from fadm.coarse.motion import DenseMotion


@dataclass(frozen=True, kw_only=True)
class FOMMConfig:
    """Sizes of the first order motion model; the defaults are the released vox-256 network's.

    `*_width` is the channels of the first level, doubled per block up to `*_max_channels`; `*_downsampling`
    the factor by which pictures shrink before that network.
    """

    num_keypoints: int = 10
    image_channels: int = 3
    has_jacobians: bool = True
    has_occlusion_map: bool = True
    keypoint_width: int = 32
    keypoint_max_channels: int = 1024
    keypoint_blocks: int = 5
    keypoint_downsampling: int = 4
    temperature: float = 0.1
    motion_width: int = 64
    motion_max_channels: int = 1024
    motion_blocks: int = 5
    motion_downsampling: int = 4
    generator_width: int = 64
    generator_max_channels: int = 512
    generator_blocks: int = 2
    bottleneck_blocks: int = 6

    @property
    def side_multiple(self) -> int:
        """Pixels that each side of a picture has to be a multiple of."""
        return math.lcm(
            self.keypoint_downsampling * 2**self.keypoint_blocks,
            self.motion_downsampling * 2**self.motion_blocks,
            2**self.generator_blocks,
        )


@dataclass(frozen=True)
class FOMMState:
    """What `prepare` keeps of a source: picture (B, 3, H, W), key points, features (B, C, h, w).

    Motion is relative when there is an anchor: the driver's key points in the frame that shows the source's
    pose. movement_scale (B, 1, 1) or a number.
    """

    source: Tensor
    keypoints: Keypoints
    features: Tensor
    anchor: Keypoints | None = None
    movement_scale: Tensor | float = 1.0


def build_keypoint_detector(config: FOMMConfig) -> KeypointDetector:
    """The key point detector of a configuration."""
    hourglass = Hourglass(
        2, config.image_channels, config.keypoint_width, config.keypoint_max_channels, config.keypoint_blocks
    )
    return KeypointDetector(
        config.num_keypoints,
        config.image_channels,
        hourglass,
        downsampling=config.keypoint_downsampling,
        temperature=config.temperature,
        has_jacobians=config.has_jacobians,
    )


def build_dense_motion(config: FOMMConfig) -> DenseMotion:
    """The dense motion network of a configuration."""
    trial_channels = (config.num_keypoints + 1) * (config.image_channels + 1)
    hourglass = Hourglass(2, trial_channels, config.motion_width, config.motion_max_channels, config.motion_blocks)
    return DenseMotion(
        2,
        config.num_keypoints,
        AntiAliasDownsample(config.image_channels, config.motion_downsampling),
        hourglass,
        hourglass.out_channels,
        has_occlusion_map=config.has_occlusion_map,
    )


def build_generator(config: FOMMConfig) -> Generator:
    """The generator of a configuration."""
    sizes = (
        config.image_channels,
        config.generator_width,
        config.generator_max_channels,
        config.generator_blocks,
    )
    return Generator(ImageEncoder(*sizes), ImageDecoder(*sizes, config.bottleneck_blocks))


class FOMM(nn.Module):
    """First order motion model (arXiv 2003.00196): `prepare` a source once, `drive` it with any frames."""

    def __init__(self, config: FOMMConfig | None = None) -> None:
        super().__init__()
        self.config = config or FOMMConfig()
        self.keypoint_detector = build_keypoint_detector(self.config)
        self.dense_motion = build_dense_motion(self.config)
        self.generator = build_generator(self.config)

    def detect(self, image: Tensor) -> Keypoints:
        """Key points of pictures (B, 3, H, W) in 0..1. Raises OptionError for sides that do not fit."""
        check_sides(image, self.config.side_multiple)
        return self.keypoint_detector(image)

    def prepare(self, source: Tensor) -> FOMMState:
        """Encode the source (B, 3, H, W) in 0..1, for absolute motion. OptionError if sides do not fit."""
        return FOMMState(source, self.detect(source), self.generator.encode(source))

    def anchor(self, state: FOMMState, frame: Tensor, *, adapt_scale: bool = True) -> FOMMState:
        """Make the motion relative to a driving `frame` (B, 3, H, W) that shows the source's pose.

        With `adapt_scale` movements grow or shrink by the ratio of the two faces' sizes. Raises OptionError
        if sides do not fit or the key points have no size.
        """
        anchor = self.detect(frame)
        scale = measure_movement_scale(state.keypoints.positions, anchor.positions) if adapt_scale else 1.0
        return replace(state, anchor=anchor, movement_scale=scale)

    def drive(self, state: FOMMState, driving: Tensor) -> Tensor:
        """Move the source as the driving frames (B, 3, H, W) do -> coarse frames (B, 3, H, W) in 0..1.

        A state of one source serves frames of any batch size. Raises OptionError if sides do not fit.
        """
        keypoints = self.detect(driving)
        if state.anchor is not None:
            keypoints = transfer_motion(state.keypoints, keypoints, state.anchor, state.movement_scale)
        motion = self.dense_motion(state.source, state.keypoints, keypoints)
        return self.generator(state.features, motion)
