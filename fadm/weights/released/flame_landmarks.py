"""Renaming table of FLAME's landmark embedding (landmark_embedding.npy), and its sizes."""

from typing import Any

RULES: tuple[tuple[str, str], ...] = (
    (r"^dynamic_", "contour_"),
    (r"_lmk_faces_idx$", "_triangles"),
    (r"_lmk_bary_coords$", "_barycentric"),
)

IGNORED: tuple[str, ...] = ()


def config_from_state_dict(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Derive the fields of FLAMELandmarksConfig.

    Args:
        shapes: Shapes by released key.

    Returns:
        The fields.

    Raises:
        KeyError: An expected key is missing.
    """
    num_rows, num_contour = shapes["dynamic_lmk_faces_idx"]
    return {
        "num_contour": num_contour,
        "num_inner": shapes["static_lmk_faces_idx"][0],
        "largest_yaw": num_rows // 2,
    }
