"""MediaPipe's face models as TensorFlow Lite files; README.md beside them tells origin, licence and SHA-256."""

from contextlib import AbstractContextManager
from importlib.resources import as_file, files
from pathlib import Path


def model_path(name: str) -> AbstractContextManager[Path]:
    """Provide the path of a model's file while the context is open.

    Args:
        name: Name of the file without its ending, such as `face_landmarks_detector`.

    Returns:
        A context manager that yields the path.
    """
    return as_file(files(__name__) / f"{name}.tflite")
