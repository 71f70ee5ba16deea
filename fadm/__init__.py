"""Face animation with an attribute-guided diffusion model (FADM, arXiv 2304.03199)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fadm.animation.animator import AnimateOptions, Animator

__version__ = "0.1.0"
__all__ = ["AnimateOptions", "Animator", "__version__"]


def __getattr__(name: str) -> Any:
    """Load the pipeline, and with it torch, only when it is first asked for."""
    if name in ("AnimateOptions", "Animator"):
        from fadm.animation import animator as pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module 'fadm' has no attribute {name!r}")
