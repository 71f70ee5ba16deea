"""MediaPipe's solutions, whose models are inside its wheel."""

from importlib import import_module
from typing import Any

from fadm.errors import PackageError


def load_solution(name: str) -> Any:
    """Import a solution of MediaPipe.

    Args:
        name: Its module, such as `face_mesh`.

    Returns:
        The module.

    Raises:
        PackageError: MediaPipe or a system library that it needs is missing.
    """
    try:
        return import_module(f"mediapipe.python.solutions.{name}")
    except ImportError as error:
        raise PackageError(
            f"MediaPipe, which finds faces, cannot be loaded ({error}); a library that its OpenCV needs is missing: "
            "install libgl1 and libglib2.0-0, or in place of opencv-contrib-python its headless build "
            "(pip uninstall opencv-contrib-python, pip install opencv-contrib-python-headless==4.11.0.86)"
        ) from error
