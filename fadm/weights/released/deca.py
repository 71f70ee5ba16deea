"""Renaming table of DECA (coarse encoder, detail encoder, detail decoder), and its configuration."""

from typing import Any

RULES: tuple[tuple[str, str], ...] = (
    (r"^E_flame\.encoder\.", "encoder.backbone."),
    (r"^E_flame\.layers\.", "encoder.regressor."),
    (r"^E_detail\.encoder\.", "detail_encoder.backbone."),
    (r"^E_detail\.layers\.", "detail_encoder.regressor."),
    (r"^D_detail\.l1\.0\.", "detail_decoder.project."),
    (r"^D_detail\.conv_blocks\.0\.", "detail_decoder.norm."),
    # Each released block has five indices: the second is a convolution, the third a normalisation.
    *((rf"^D_detail\.conv_blocks\.{5 * n + 2}\.", f"detail_decoder.blocks.{n}.1.") for n in range(5)),
    *((rf"^D_detail\.conv_blocks\.{5 * n + 3}\.", f"detail_decoder.blocks.{n}.2.") for n in range(5)),
    (r"^D_detail\.conv_blocks\.21\.", "detail_decoder.final_conv."),
)

IGNORED: tuple[str, ...] = ()


def config_from_state_dict(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Derive the fields of DECAConfig.

    Args:
        shapes: Shapes by released key.

    Returns:
        The fields.
    """
    return {"detail": any(key.startswith(("E_detail.", "D_detail.")) for key in shapes)}
