"""First order motion model for image animation (arXiv 2003.00196)."""

from fadm.coarse.fomm.model import FOMM, FOMMConfig, FOMMState

__all__ = ["FOMM", "FOMMConfig", "FOMMState"]
