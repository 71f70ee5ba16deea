"""Renaming table of FLAME's file (generic_model.pkl), and its sizes."""

from typing import Any

RULES: tuple[tuple[str, str], ...] = (
    (r"^v_template$", "template"),
    (r"^f$", "triangles"),
    (r"^shapedirs$", "directions"),
    (r"^posedirs$", "pose_directions"),
    (r"^J_regressor$", "joint_regressor"),
    (r"^weights$", "skinning_weights"),
    (r"^kintree_table$", "kinematic_tree"),
)

IGNORED: tuple[str, ...] = ()

# Number of expressions by the number of columns: the released file, and one reduced to the columns that DECA uses.
NUM_EXPRESSION = {400: 100, 150: 50}


def config_from_state_dict(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Derive the fields of FLAMEConfig; the expressions are the last columns.

    Args:
        shapes: Shapes by released key.

    Returns:
        The fields.

    Raises:
        KeyError: An expected key is missing, or the number of columns is unknown.
    """
    columns = shapes["shapedirs"][2]
    return {
        "num_vertices": shapes["v_template"][0],
        "num_triangles": shapes["f"][0],
        "num_shape": columns - NUM_EXPRESSION[columns],
        "num_expression": NUM_EXPRESSION[columns],
    }
