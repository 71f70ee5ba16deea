"""Renaming table of FADM's denoiser and conditioner, and their sizes."""

import math
import re

RULES: tuple[tuple[str, str], ...] = (
    (r"^time_mlp\.1\.", "time_embedding.expand."),
    (r"^time_mlp\.3\.", "time_embedding.project."),
    (r"^condition_conv\.pre_conv_color\.0\.", "conditioner.appearance.conv."),
    (r"^condition_conv\.pre_conv_color\.2\.", "conditioner.appearance.residual1."),
    (r"^condition_conv\.pre_conv_color\.4\.", "conditioner.appearance.residual2."),
    (r"^condition_conv\.deal_cond\.block1\.", "conditioner.motion.conv."),
    (r"^condition_conv\.deal_cond\.block2\.", "conditioner.motion.block."),
    (r"^condition_conv\.motion_cond\.time_mlp\.1\.", "conditioner.motion_weight.time."),
    (r"^condition_conv\.motion_cond\.condition\.1\.", "conditioner.motion_weight.hidden."),
    (r"^condition_conv\.motion_cond\.condition\.3\.", "conditioner.motion_weight.out."),
    (r"^condition_conv\.resnet\.0\.", "conditioner.fusion.residual1."),
    (r"^condition_conv\.resnet\.2\.", "conditioner.fusion.residual2."),
    (r"^condition_conv\.resnet\.4\.", "conditioner.fusion.residual3."),
    (r"^condition_conv\.resnet\.6\.", "conditioner.fusion.conv."),
    (r"^downs\.", "unet.down."),
    (r"^mid\.", "unet.middle."),
    (r"^ups\.", "unet.up."),
    (r"^final_conv\.", "unet.head."),
    (r"\.res_block\.mlp\.1\.", ".residual.time."),
    (r"\.res_block\.", ".residual."),
    (r"\.res_conv\.", ".skip."),
    (r"\.attn\.", ".attention."),
    (r"\.block\.0\.", ".norm."),
    (r"\.block\.3\.", ".conv."),
)

IGNORED: tuple[str, ...] = (r"^time_mlp\.0\.inv_freq$",)

RELEASED_NORM_GROUPS = 32


def config_from_state_dict(shapes: dict[str, tuple[int, ...]]) -> dict:
    """Derive the sizes of `unet` and `conditioner` from shapes.

    Shapes do not show the number of normalisation groups: it is the released one, or its greatest common divisor with
    the width.

    Args:
        shapes: Shapes by released key.

    Returns:
        The fields of UNetConfig and ConditionerConfig, under `unet` and `conditioner`.

    Raises:
        KeyError: An expected key is missing.
    """
    channels, in_channels = shapes["downs.0.weight"][:2]
    condition_channels = shapes["condition_conv.pre_conv_color.0.weight"][0]
    levels = _read_levels(shapes)
    return {
        "unet": {
            "in_channels": in_channels,
            "out_channels": shapes["final_conv.block.3.weight"][0],
            "channels": channels,
            "multipliers": tuple(width // channels for width, _, _ in levels),
            "residual_blocks": levels[0][1],
            "attention_levels": tuple(i for i, (_, _, has_attention) in enumerate(levels) if has_attention),
            "norm_groups": math.gcd(channels, RELEASED_NORM_GROUPS),
        },
        "conditioner": {
            "attribute_channels": shapes["condition_conv.motion_cond.condition.1.weight"][1] - condition_channels,
            "time_channels": shapes["time_mlp.3.weight"][0],
            "channels": condition_channels,
        },
    }


def _read_levels(shapes: dict[str, tuple[int, ...]]) -> list[tuple[int, int, bool]]:
    """Width, number of residual blocks and whether they have attention, for each resolution from the finest on."""
    levels: list[tuple[int, int, bool]] = []
    width, blocks, has_attention = 0, 0, False
    last = max(int(match[1]) for key in shapes if (match := re.match(r"downs\.(\d+)\.", key)))
    for index in range(1, last + 1):
        layer = f"downs.{index}"
        if f"{layer}.conv.weight" in shapes:
            levels.append((width, blocks, has_attention))
            blocks, has_attention = 0, False
        else:
            width, blocks = shapes[f"{layer}.res_block.block1.block.3.weight"][0], blocks + 1
            has_attention = has_attention or f"{layer}.attn.qkv.weight" in shapes
    return [*levels, (width, blocks, has_attention)]
