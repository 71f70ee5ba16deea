"""FOMM as a coarse generator: the source is encoded once; motion is absolute or relative."""

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

    Attributes:
        num_keypoints: Number of keypoints.
        image_channels: Channels of the pictures.
        has_jacobians: Whether keypoints have local affine transformations.
        has_occlusion_map: Whether the dense motion network predicts an occlusion map.
        keypoint_width: Channels of the keypoint detector's first level, doubled by each block.
        keypoint_max_channels: Upper limit of its channels.
        keypoint_blocks: Number of its halvings.
        keypoint_downsampling: Factor by which pictures shrink before it.
        temperature: Temperature of the heatmaps' softmax.
        motion_width: Channels of the dense motion network's first level, doubled by each block.
        motion_max_channels: Upper limit of its channels.
        motion_blocks: Number of its halvings.
        motion_downsampling: Factor by which pictures shrink before it.
        generator_width: Channels of the generator's first level, doubled by each block.
        generator_max_channels: Upper limit of its channels.
        generator_blocks: Number of its halvings.
        bottleneck_blocks: Number of residual blocks in its decoder.
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
        """Number of pixels that has to divide both sides of a picture."""
        return math.lcm(
            self.keypoint_downsampling * 2**self.keypoint_blocks,
            self.motion_downsampling * 2**self.motion_blocks,
            2**self.generator_blocks,
        )


@dataclass(frozen=True)
class FOMMState:
    """An encoded source, as `FOMM.prepare` and `FOMM.anchor` return it.

    Attributes:
        source: The picture (B, 3, H, W) in [0, 1].
        keypoints: Its keypoints.
        features: Its features (B, C, h, w).
        anchor: Keypoints of the driving frame that shows the source's pose; None for absolute motion.
        movement_scale: Factor of relative movements, a number or (B, 1, 1).
    """

    source: Tensor
    keypoints: Keypoints
    features: Tensor
    anchor: Keypoints | None = None
    movement_scale: Tensor | float = 1.0


def _build_keypoint_detector(config: FOMMConfig) -> KeypointDetector:
    """Build the keypoint detector."""
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


def _build_dense_motion(config: FOMMConfig) -> DenseMotion:
    """Build the dense motion network."""
    input_channels = (config.num_keypoints + 1) * (config.image_channels + 1)
    hourglass = Hourglass(2, input_channels, config.motion_width, config.motion_max_channels, config.motion_blocks)
    return DenseMotion(
        2,
        config.num_keypoints,
        AntiAliasDownsample(config.image_channels, config.motion_downsampling),
        hourglass,
        hourglass.out_channels,
        has_occlusion_map=config.has_occlusion_map,
    )


def _build_generator(config: FOMMConfig) -> Generator:
    """Build the generator."""
    sizes = (
        config.image_channels,
        config.generator_width,
        config.generator_max_channels,
        config.generator_blocks,
    )
    return Generator(ImageEncoder(*sizes), ImageDecoder(*sizes, config.bottleneck_blocks))


class FOMM(nn.Module):
    """First order motion model (arXiv 2003.00196): `prepare` a source once, then `drive` it with any frames.

    Args:
        config: Sizes of the model, those of the released vox-256 network if None.
    """

    def __init__(self, config: FOMMConfig | None = None) -> None:
        super().__init__()
        self.config = config or FOMMConfig()
        self.keypoint_detector = _build_keypoint_detector(self.config)
        self.dense_motion = _build_dense_motion(self.config)
        self.generator = _build_generator(self.config)

    def detect(self, image: Tensor) -> Keypoints:
        """Detect the keypoints of pictures.

        Args:
            image: Pictures (B, 3, H, W) in [0, 1].

        Returns:
            Their keypoints.

        Raises:
            OptionError: A side is not a multiple of `config.side_multiple`.
        """
        check_sides(image, self.config.side_multiple)
        return self.keypoint_detector(image)

    def prepare(self, source: Tensor) -> FOMMState:
        """Encode the source, for absolute motion.

        Args:
            source: Pictures (B, 3, H, W) in [0, 1].

        Returns:
            The state for `anchor` and `drive`.

        Raises:
            OptionError: A side is not a multiple of `config.side_multiple`.
        """
        return FOMMState(source, self.detect(source), self.generator.encode(source))

    def anchor(self, state: FOMMState, frame: Tensor, *, adapt_scale: bool = True) -> FOMMState:
        """Make the motion relative to a driving frame that shows the source's pose.

        Args:
            state: The encoded source.
            frame: The driving frame (B, 3, H, W) in [0, 1].
            adapt_scale: Whether movements are scaled by the ratio of the two faces' sizes.

        Returns:
            The state for relative motion.

        Raises:
            OptionError: A side is not a multiple of `config.side_multiple`, or the keypoints lie on one line.
        """
        anchor = self.detect(frame)
        scale = measure_movement_scale(state.keypoints.positions, anchor.positions) if adapt_scale else 1.0
        return replace(state, anchor=anchor, movement_scale=scale)

    def drive(self, state: FOMMState, driving: Tensor) -> Tensor:
        """Move the source as the driving frames move.

        Args:
            state: The encoded source; one source serves frames of any batch size.
            driving: Driving frames (B, 3, H, W) in [0, 1].

        Returns:
            Coarse frames (B, 3, H, W) in [0, 1].

        Raises:
            OptionError: A side is not a multiple of `config.side_multiple`.
        """
        keypoints = self.detect(driving)
        if state.anchor is not None:
            keypoints = transfer_motion(state.keypoints, keypoints, state.anchor, state.movement_scale)
        motion = self.dense_motion(state.source, state.keypoints, keypoints)
        return self.generator(state.features, motion)
