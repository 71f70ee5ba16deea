"""Loading DECA and FLAME by the names of their weights."""

from pathlib import Path
from typing import cast

from fadm.attributes.deca import DECA, DECAConfig
from fadm.attributes.flame import FLAME, FLAMEConfig, FLAMELandmarks, FLAMELandmarksConfig
from fadm.weights.registry import load_network


def load_deca(name: str | Path = "deca") -> DECA:
    """Load DECA in evaluation mode.

    Args:
        name: Name or file of the weights.

    Returns:
        The network.

    Raises:
        WeightsError: The weights are missing, damaged or of another kind.
    """
    return cast(DECA, load_network(name, {"deca": (DECAConfig, DECA)}))


def load_flame(name: str | Path = "flame") -> FLAME:
    """Load the FLAME head model in evaluation mode.

    Args:
        name: Name or file of the weights.

    Returns:
        The model.

    Raises:
        WeightsError: The weights are missing, damaged or of another kind.
    """
    return cast(FLAME, load_network(name, {"flame": (FLAMEConfig, FLAME)}))


def load_flame_landmarks(name: str | Path = "flame_landmarks") -> FLAMELandmarks:
    """Load the embedding of the landmarks in FLAME's mesh.

    Args:
        name: Name or file of the weights.

    Returns:
        The embedding.

    Raises:
        WeightsError: The weights are missing, damaged or of another kind.
    """
    kinds = {"flame_landmarks": (FLAMELandmarksConfig, FLAMELandmarks)}
    return cast(FLAMELandmarks, load_network(name, kinds))
