"""Named weights: the package's own files and those in the user's weights folder."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from fadm.config import config_from_dict
from fadm.errors import WeightsError
from fadm.weights.store import load_into, load_weights, read_metadata

EMBEDDED_FOLDER = Path(__file__).parent
SUFFIX = ".safetensors"
OPEN_LICENCES = ("Apache-2.0", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0", "MIT")


@dataclass(frozen=True)
class NamedWeights:
    """A weights file and its name.

    Attributes:
        name: The name.
        path: The file.
        metadata: Metadata as `read_metadata` returns it, with kind, licence and sha256.
    """

    name: str
    path: Path
    metadata: dict[str, Any]

    @property
    def is_embedded(self) -> bool:
        """Whether it comes with the package."""
        return self.path.parent == EMBEDDED_FOLDER

    @property
    def kind(self) -> str:
        """Kind of the network: `fadm`, `fomm`, `face_vid2vid`, `deca`, `flame`, `flame_landmarks` or another word."""
        return str(self.metadata.get("kind"))

    @property
    def licence(self) -> str:
        """Terms under which it may be used."""
        return str(self.metadata.get("licence", "not stated"))

    @property
    def allows_commercial(self) -> bool:
        """Whether its terms allow commercial use: the metadata's `commercial`, else by the licence; unknown is no."""
        stated = self.metadata.get("commercial")
        return self.licence in OPEN_LICENCES if stated is None else stated == "true"

    @property
    def attributes(self) -> str:
        """Attributes that a renderer was trained with: `landmarks`, or `deca`, as all released ones."""
        return str(self.metadata.get("attributes", "deca"))

    @property
    def face_model(self) -> str:
        """Hash of the face model whose numbers a renderer was trained with (`hash_numbers`); empty where not named."""
        return str(self.metadata.get("face_model", ""))

    @property
    def sha256(self) -> str:
        """Hash of the tensors (`hash_tensors`), as stored in the metadata."""
        return str(self.metadata.get("sha256"))


def weights_folder() -> Path:
    """Folder of imported files: $FADM_HOME/weights, by default ~/.local/share/fadm/weights."""
    home = os.environ.get("FADM_HOME")
    return (Path(home) if home else Path.home() / ".local/share/fadm") / "weights"


def named_files() -> dict[str, Path]:
    """All weights files by name; a file in the user's folder replaces an embedded one of the same name."""
    folders = (EMBEDDED_FOLDER, weights_folder())
    return {path.stem: path for folder in folders for path in sorted(folder.glob(f"*{SUFFIX}"))}


def list_weights() -> list[NamedWeights]:
    """List all named weights with their metadata.

    Returns:
        The weights.

    Raises:
        WeightsError: A file is damaged.
    """
    return [NamedWeights(name, path, read_metadata(path)) for name, path in named_files().items()]


def describe_weights(name: str | Path, *, commercial: bool = False, instead: str = "") -> NamedWeights:
    """Read the metadata of a weights file.

    Args:
        name: Name of the weights, or a .safetensors file.
        commercial: Refuse weights whose terms forbid commercial use or are unknown.
        instead: What else the user can choose than other weights, to end that error with.

    Returns:
        The weights.

    Raises:
        WeightsError: There is no such file, it is damaged, or its terms are refused.
    """
    path = find_weights(name)
    weights = NamedWeights(path.stem, path, read_metadata(path))
    if commercial and not weights.allows_commercial:
        others = "others that `fadm weights list` marks for commercial use" + (f", or {instead}" if instead else "")
        raise WeightsError(f"--commercial refuses {name}, whose terms are: {weights.licence}; choose {others}")
    return weights


def load_network(
    name: str | Path, classes: Mapping[str, tuple[type[Any], type[nn.Module]]], *, commercial: bool = False
) -> nn.Module:
    """Build the network of a weights file and load it, in evaluation mode.

    Args:
        name: Name of the weights, or a .safetensors file.
        classes: Configuration and network class by kind, of the kinds that the caller accepts.
        commercial: Refuse weights whose terms forbid commercial use or are unknown.

    Returns:
        The network.

    Raises:
        WeightsError: There is no such file, it is of another kind, its tensors do not fit, or its terms are refused.
    """
    path = describe_weights(name, commercial=commercial).path
    state_dict, metadata = load_weights(path)
    kind = str(metadata.get("kind"))
    if kind not in classes:
        raise WeightsError(f"{path}: these weights are of kind {kind}, {' or '.join(classes)} is needed")
    config_class, network_class = classes[kind]
    network = network_class(config_from_dict(config_class, metadata["config"], source=str(path)))
    load_into(network, state_dict, source=str(path))
    return network.eval()


def find_weights(name: str | Path) -> Path:
    """Find a weights file.

    Args:
        name: Name of the weights, or a .safetensors file.

    Returns:
        The file.

    Raises:
        WeightsError: There is no such file.
    """
    given = Path(name)
    if given.suffix == SUFFIX:
        if not given.is_file():
            raise WeightsError(f"there is no weights file {given}")
        return given
    known = named_files()
    if str(name) in known:
        return known[str(name)]
    near = difflib.get_close_matches(str(name), known)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise WeightsError(
        f"no weights are named {name!r}: {hint}known are {', '.join(sorted(known)) or 'none'}; "
        "`fadm weights import FILE` adds a released file"
    )
