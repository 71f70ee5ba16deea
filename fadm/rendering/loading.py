"""Load renderers by the names of their weights."""

from pathlib import Path
from typing import cast

from fadm.rendering.options import RendererConfig
from fadm.rendering.renderer import DiffusionRenderer
from fadm.weights.registry import load_network


def load_renderer(name: str | Path, *, commercial: bool = False) -> DiffusionRenderer:
    """Load a renderer, in evaluation mode.

    Args:
        name: Name of the weights (`fadm weights list`), or a .safetensors file.
        commercial: Refuse weights whose terms forbid commercial use or are unknown.

    Returns:
        The renderer.

    Raises:
        WeightsError: There is no such file, it holds another kind of network, its tensors do not fit, or its terms
            are refused.
    """
    kinds = {"fadm": (RendererConfig, DiffusionRenderer)}
    return cast(DiffusionRenderer, load_network(name, kinds, commercial=commercial))
