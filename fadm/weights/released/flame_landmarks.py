"""The arrays of the released landmark embedding (landmark_embedding.npy)."""

from typing import Any

RULES: tuple[tuple[str, str], ...] = (
    (r"^dynamic_", "contour_"),
    (r"_lmk_faces_idx$", "_triangles"),
    (r"_lmk_bary_coords$", "_barycentric"),
)

IGNORED: tuple[str, ...] = ()


def config_from_state_dict(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Fields of FLAMELandmarksConfig, from released keys and their shapes."""
    num_rows, num_contour = shapes["dynamic_lmk_faces_idx"]
    return {
        "num_contour": num_contour,
        "num_inner": shapes["static_lmk_faces_idx"][0],
        "largest_yaw": num_rows // 2,
    }
