"""The arrays of FLAME's released file (generic_model.pkl) and its sizes read from their shapes."""

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

# Columns of the file -> expressions among them: the released file, and one cut down to what DECA uses.
NUM_EXPRESSION = {400: 100, 150: 50}


def config_from_state_dict(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Fields of FLAMEConfig, from released keys and their shapes; expressions are the last columns."""
    columns = shapes["shapedirs"][2]
    return {
        "num_vertices": shapes["v_template"][0],
        "num_triangles": shapes["f"][0],
        "num_shape": columns - NUM_EXPRESSION[columns],
        "num_expression": NUM_EXPRESSION[columns],
    }
