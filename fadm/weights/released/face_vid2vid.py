"""Renaming table of Face vid2vid (PyTorch reimplementation, plain and SPADE), and its sizes."""

import re
from typing import Any

from fadm.weights.released.fomm import count_blocks, downsampling_factor, largest_channels

HEAD_POSE: tuple[tuple[str, str], ...] = (
    (r"^he_estimator\.", "head_pose."),
    # The head called fc_roll gives yaw, and fc_yaw roll.
    (r"^head_pose\.fc_roll\.", "head_pose.yaw."),
    (r"^head_pose\.fc_yaw\.", "head_pose.roll."),
    (r"^head_pose\.fc_pitch\.", "head_pose.pitch."),
    (r"^head_pose\.fc_t\.", "head_pose.translation."),
    (r"^head_pose\.fc_exp\.", "head_pose.expression."),
    (r"^head_pose\.(conv|norm)1\.", r"head_pose.stem.\1."),
    *((rf"^head_pose\.(conv|norm){n + 2}\.", rf"head_pose.stages.{n}.project.\1.") for n in range(4)),
    *((rf"^head_pose\.block{2 * n + 1}\.b\d+_(\d+)\.", rf"head_pose.stages.{n}.blocks.\1.") for n in range(4)),
    *((rf"^head_pose\.block{2 * n}\.", f"head_pose.stages.{n}.down.") for n in range(1, 4)),
    (r"(\.down|\.blocks\.\d+)\.(conv|norm)1\.", r"\1.reduce.\2."),
    (r"(\.down|\.blocks\.\d+)\.(conv|norm)2\.", r"\1.spatial.\2."),
    (r"(\.down|\.blocks\.\d+)\.(conv|norm)3\.", r"\1.expand.\2."),
    (r"\.down\.skip\.", ".down.shortcut.conv."),
    (r"\.down\.norm4\.", ".down.shortcut.norm."),
)

SPADE: tuple[tuple[str, str], ...] = (
    (r"^generator\.decoder\.fc\.", "generator.decoder.expand."),
    (r"^generator\.decoder\.G_middle_(\d+)\.", r"generator.decoder.middle.\1."),
    (r"^generator\.decoder\.up_(\d+)\.", r"generator.decoder.up.\1."),
    (r"^generator\.decoder\.conv_img\.", "generator.decoder.image."),
    (r"\.(conv|norm)_0\.", r".\g<1>1."),
    (r"\.(conv|norm)_1\.", r".\g<1>2."),
    (r"\.conv_s\.", ".shortcut."),
    (r"\.norm_s\.", ".shortcut_norm."),
    (r"\.mlp_shared\.0\.", ".shared."),
    (r"\.mlp_(gamma|beta)\.", r".\1."),
    (r"\.weight_orig$", ".parametrizations.weight.original"),
    (r"\.weight_(u|v)$", r".parametrizations.weight.0._\1"),
)

RULES: tuple[tuple[str, str], ...] = (
    (r"^kp_detector\.predictor\.(down|up)_blocks\.\w+?(\d+)\.", r"keypoint_detector.hourglass.\1.\2."),
    (r"^kp_detector\.predictor\.conv\.", "keypoint_detector.hourglass.lift."),
    (r"^kp_detector\.kp\.", "keypoint_detector.heatmap."),
    *HEAD_POSE,
    (r"^generator\.dense_motion_network\.(compress|norm)\.", r"dense_motion.reduce.\1."),
    (r"^dense_motion\.reduce\.compress\.", "dense_motion.reduce.conv."),
    (r"^generator\.dense_motion_network\.", "dense_motion."),
    (r"\.hourglass\.encoder\.down_blocks\.", ".hourglass.0.down."),
    (r"\.hourglass\.decoder\.up_blocks\.", ".hourglass.0.up."),
    (r"\.hourglass\.decoder\.(conv|norm)\.", r".hourglass.1.\1."),
    (r"^generator\.first\.", "generator.encoder.first."),
    (r"^generator\.down_blocks\.", "generator.encoder.down."),
    (r"^generator\.second\.", "generator.to_volume."),
    (r"^generator\.resblocks_3d\.3dr(\d+)\.", r"generator.volume.\1."),
    (r"^generator\.third\.", "generator.from_volume."),
    (r"^generator\.fourth\.", "generator.mix."),
    (r"^generator\.resblocks_2d\.2dr(\d+)\.", r"generator.decoder.bottleneck.\1."),
    (r"^generator\.up_blocks\.", "generator.decoder.up."),
    (r"^generator\.final\.", "generator.decoder.final."),
    *SPADE,
)

# A Gaussian kernel, which the constructor computes.
IGNORED: tuple[str, ...] = (r"^kp_detector\.down\.weight$",)


def config_from_state_dict(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Derive the fields of FaceVid2VidConfig from shapes; all others keep their defaults.

    Args:
        shapes: Shapes by released key.

    Returns:
        The fields.

    Raises:
        KeyError: An expected key is missing.
    """
    return (
        {"image_channels": shapes["generator.first.conv.weight"][1]}
        | _keypoint_sizes(shapes)
        | _head_sizes(shapes)
        | _motion_sizes(shapes)
        | _generator_sizes(shapes)
    )


def _keypoint_sizes(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    predictor = "kp_detector.predictor"
    num_keypoints, width = shapes["kp_detector.kp.weight"][:2]
    volume_channels = shapes[f"{predictor}.up_blocks.up0.conv.weight"][1]
    return {
        "num_keypoints": num_keypoints,
        "keypoint_width": width,
        "keypoint_max_channels": largest_channels(shapes, f"{predictor}.down_blocks."),
        "keypoint_blocks": count_blocks(shapes, rf"{re.escape(predictor)}\.down_blocks\.down(\d+)\."),
        "keypoint_downsampling": downsampling_factor(shapes, "kp_detector.down.weight"),
        "keypoint_volume_channels": volume_channels,
        "keypoint_depth": shapes[f"{predictor}.conv.weight"][0] // volume_channels,
    }


def _head_sizes(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    return {
        "head_stem_channels": shapes["he_estimator.conv1.weight"][0],
        "head_stage_channels": tuple(shapes[f"he_estimator.conv{n}.weight"][0] for n in range(2, 6)),
        "head_stage_blocks": tuple(
            count_blocks(shapes, rf"he_estimator\.block{n}\.b{n}_(\d+)\.") for n in (1, 3, 5, 7)
        ),
        "head_bins": shapes["he_estimator.fc_yaw.weight"][0],
    }


def _motion_sizes(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    motion = "generator.dense_motion_network"
    num_blocks = count_blocks(shapes, rf"{re.escape(motion)}\.hourglass\.encoder\.down_blocks\.(\d+)\.")
    return {
        "motion_width": shapes[f"{motion}.hourglass.decoder.up_blocks.{num_blocks - 1}.conv.weight"][0],
        "motion_max_channels": largest_channels(shapes, f"{motion}.hourglass.encoder."),
        "motion_blocks": num_blocks,
        "motion_reduced_channels": shapes[f"{motion}.compress.weight"][0],
        "has_occlusion_map": f"{motion}.occlusion.weight" in shapes,
    }


def _generator_sizes(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    volume_channels = shapes["generator.resblocks_3d.3dr0.conv1.weight"][0]
    sizes: dict[str, Any] = {
        "generator_width": shapes["generator.first.conv.weight"][0],
        "generator_max_channels": largest_channels(shapes, "generator.down_blocks."),
        "generator_blocks": count_blocks(shapes, r"generator\.down_blocks\.(\d+)\."),
        "volume_channels": volume_channels,
        "volume_depth": shapes["generator.second.weight"][0] // volume_channels,
        "volume_blocks": count_blocks(shapes, r"generator\.resblocks_3d\.3dr(\d+)\."),
    }
    if "generator.decoder.fc.weight" not in shapes:
        blocks = count_blocks(shapes, r"generator\.resblocks_2d\.2dr(\d+)\.")
        return sizes | {"decoder": "plain", "bottleneck_blocks": blocks}
    return sizes | {
        "decoder": "spade",
        "bottleneck_blocks": count_blocks(shapes, r"generator\.decoder\.G_middle_(\d+)\."),
        "spade_hidden_channels": shapes["generator.decoder.up_0.norm_0.mlp_shared.0.weight"][0],
    }
