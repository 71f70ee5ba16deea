"""Load the trained coarse generators by the names of their weights."""

from pathlib import Path
from typing import cast

from fadm.coarse.face_vid2vid.model import FaceVid2Vid, FaceVid2VidConfig
from fadm.coarse.fomm.model import FOMM, FOMMConfig
from fadm.weights.registry import load_network

NETWORKS = {"fomm": (FOMMConfig, FOMM), "face_vid2vid": (FaceVid2VidConfig, FaceVid2Vid)}


def load_coarse(name: str | Path, *, commercial: bool = False) -> FOMM | FaceVid2Vid:
    """Load a trained coarse generator, in evaluation mode.

    Args:
        name: Name of the weights (`fadm weights list`), or a .safetensors file.
        commercial: Refuse weights whose terms forbid commercial use or are unknown.

    Returns:
        The network that the weights belong to.

    Raises:
        WeightsError: There is no such file, it holds another kind of network, its tensors do not fit, or its terms
            are refused.
    """
    return cast(FOMM | FaceVid2Vid, load_network(name, NETWORKS, commercial=commercial))
