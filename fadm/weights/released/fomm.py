"""Renaming table of the first order motion model, and its sizes."""

import re
from typing import Any

RULES: tuple[tuple[str, str], ...] = (
    (r"^kp_detector\.predictor\.", "keypoint_detector.hourglass."),
    (r"^kp_detector\.kp\.", "keypoint_detector.heatmap."),
    (r"^kp_detector\.", "keypoint_detector."),
    (r"^generator\.dense_motion_network\.", "dense_motion."),
    (r"\.hourglass\.encoder\.down_blocks\.", ".hourglass.down."),
    (r"\.hourglass\.decoder\.up_blocks\.", ".hourglass.up."),
    (r"^generator\.first\.", "generator.encoder.first."),
    (r"^generator\.down_blocks\.", "generator.encoder.down."),
    (r"^generator\.bottleneck\.r(\d+)\.", r"generator.decoder.bottleneck.\1."),
    (r"^generator\.up_blocks\.", "generator.decoder.up."),
    (r"^generator\.final\.", "generator.decoder.final."),
)

# Gaussian kernels, which the constructor computes.
IGNORED: tuple[str, ...] = (
    r"^kp_detector\.down\.weight$",
    r"^generator\.dense_motion_network\.down\.weight$",
)


def count_blocks(shapes: dict[str, tuple[int, ...]], pattern: str) -> int:
    """Count the different numbers that the one group of a pattern matches at the start of the keys.

    Args:
        shapes: Shapes by released key.
        pattern: Regular expression with one group.

    Returns:
        Their count.
    """
    return len({match[1] for key in shapes if (match := re.match(pattern, key))})


def largest_channels(shapes: dict[str, tuple[int, ...]], prefix: str) -> int:
    """Find the largest number of output channels of any convolution.

    Args:
        shapes: Shapes by released key.
        prefix: Start of the convolutions' keys.

    Returns:
        The number of channels.
    """
    return max(shape[0] for key, shape in shapes.items() if key.startswith(prefix) and key.endswith("conv.weight"))


def downsampling_factor(shapes: dict[str, tuple[int, ...]], key: str) -> int:
    """Derive the factor of an anti-aliased downsampling from its kernel, which is 4 * (factor - 1) + 1 wide.

    Args:
        shapes: Shapes by released key.
        key: Key of the kernel.

    Returns:
        The factor, 1 without a kernel.
    """
    return (shapes[key][-1] - 1) // 4 + 1 if key in shapes else 1


def config_from_state_dict(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Derive the fields of FOMMConfig from shapes; all others keep their defaults.

    Args:
        shapes: Shapes by released key.

    Returns:
        The fields.

    Raises:
        KeyError: An expected key is missing.
    """
    detector = "kp_detector.predictor.encoder.down_blocks."
    motion = "generator.dense_motion_network.hourglass."
    keypoint_blocks = count_blocks(shapes, re.escape(detector) + r"(\d+)\.")
    motion_blocks = count_blocks(shapes, re.escape(motion) + r"encoder\.down_blocks\.(\d+)\.")
    return {
        "num_keypoints": shapes["kp_detector.kp.weight"][0],
        "image_channels": shapes["generator.final.weight"][0],
        "has_jacobians": "kp_detector.jacobian.weight" in shapes,
        "has_occlusion_map": "generator.dense_motion_network.occlusion.weight" in shapes,
        "keypoint_width": shapes[f"kp_detector.predictor.decoder.up_blocks.{keypoint_blocks - 1}.conv.weight"][0],
        "keypoint_max_channels": largest_channels(shapes, detector),
        "keypoint_blocks": keypoint_blocks,
        "keypoint_downsampling": downsampling_factor(shapes, "kp_detector.down.weight"),
        "motion_width": shapes[f"{motion}decoder.up_blocks.{motion_blocks - 1}.conv.weight"][0],
        "motion_max_channels": largest_channels(shapes, f"{motion}encoder."),
        "motion_blocks": motion_blocks,
        "motion_downsampling": downsampling_factor(shapes, "generator.dense_motion_network.down.weight"),
        "generator_width": shapes["generator.first.conv.weight"][0],
        "generator_max_channels": largest_channels(shapes, "generator.down_blocks."),
        "generator_blocks": count_blocks(shapes, r"generator\.down_blocks\.(\d+)\."),
        "bottleneck_blocks": count_blocks(shapes, r"generator\.bottleneck\.r(\d+)\."),
    }
