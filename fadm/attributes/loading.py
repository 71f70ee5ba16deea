"""Loading DECA and FLAME by the names of their weights."""

from pathlib import Path
from typing import cast

from fadm.attributes.deca import DECA, DECAConfig
from fadm.attributes.flame import FLAME, FLAMEConfig, FLAMELandmarks, FLAMELandmarksConfig
from fadm.weights.registry import load_network


def load_deca(name: str | Path = "deca", *, commercial: bool = False) -> DECA:
    """Load DECA in evaluation mode.

    Args:
        name: Name or file of the weights.
        commercial: Refuse weights whose terms forbid commercial use or are unknown.

    Returns:
        The network.

    Raises:
        WeightsError: The weights are missing, damaged or of another kind, or their terms are refused.
    """
    return cast(DECA, load_network(name, {"deca": (DECAConfig, DECA)}, commercial=commercial))


def load_flame(name: str | Path = "flame", *, commercial: bool = False) -> FLAME:
    """Load the FLAME head model in evaluation mode.

    Args:
        name: Name or file of the weights.
        commercial: Refuse weights whose terms forbid commercial use or are unknown.

    Returns:
        The model.

    Raises:
        WeightsError: The weights are missing, damaged or of another kind, or their terms are refused.
    """
    return cast(FLAME, load_network(name, {"flame": (FLAMEConfig, FLAME)}, commercial=commercial))


def load_flame_landmarks(name: str | Path = "flame_landmarks", *, commercial: bool = False) -> FLAMELandmarks:
    """Load the embedding of the landmarks in FLAME's mesh.

    Args:
        name: Name or file of the weights.
        commercial: Refuse weights whose terms forbid commercial use or are unknown.

    Returns:
        The embedding.

    Raises:
        WeightsError: The weights are missing, damaged or of another kind, or their terms are refused.
    """
    kinds = {"flame_landmarks": (FLAMELandmarksConfig, FLAMELandmarks)}
    return cast(FLAMELandmarks, load_network(name, kinds, commercial=commercial))
