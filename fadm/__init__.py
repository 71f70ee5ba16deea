"""Face animation with an attribute-guided diffusion model (FADM, arXiv 2304.03199)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fadm.controls import FaceControls
from fadm.errors import (
    ConfigError,
    FaceError,
    FadmError,
    InputError,
    MetricError,
    OptionError,
    OutputError,
    PackageError,
    TrainingError,
    WeightsError,
)
from fadm.options import AnimateOptions, EditOptions, EnhanceOptions, Gains, MotionOptions, SourceOptions

if TYPE_CHECKING:
    from fadm.animation.animator import Animator
    from fadm.attributes.landmark_model import load_landmark_model
    from fadm.attributes.loading import load_deca
    from fadm.coarse.loading import load_coarse
    from fadm.evaluation.run import evaluate
    from fadm.rendering.loading import load_renderer
    from fadm.training.run import train

__version__ = "0.1.0"

# Where the heavy ones live: each is imported, and torch with it, only when it is first asked for.
_HOMES = {
    "Animator": "fadm.animation.animator",
    "evaluate": "fadm.evaluation.run",
    "load_coarse": "fadm.coarse.loading",
    "load_deca": "fadm.attributes.loading",
    "load_landmark_model": "fadm.attributes.landmark_model",
    "load_renderer": "fadm.rendering.loading",
    "train": "fadm.training.run",
}

__all__ = [
    "AnimateOptions",
    "Animator",
    "ConfigError",
    "EditOptions",
    "EnhanceOptions",
    "FaceControls",
    "FaceError",
    "FadmError",
    "Gains",
    "InputError",
    "MetricError",
    "MotionOptions",
    "OptionError",
    "OutputError",
    "PackageError",
    "SourceOptions",
    "TrainingError",
    "WeightsError",
    "__version__",
    "evaluate",
    "load_coarse",
    "load_deca",
    "load_landmark_model",
    "load_renderer",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a part of the package when it is first asked for."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'fadm' has no attribute {name!r}")
