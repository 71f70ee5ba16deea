"""Named weights: the package's own files and those that the user has imported into the weights folder."""

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


@dataclass(frozen=True)
class NamedWeights:
    """A weights file by its name; metadata as `read_metadata` gives it, with kind, licence and sha256."""

    name: str
    path: Path
    metadata: dict[str, Any]

    @property
    def is_embedded(self) -> bool:
        """Whether it comes with the package."""
        return self.path.parent == EMBEDDED_FOLDER

    @property
    def kind(self) -> str:
        """What it holds: `fadm`, `fomm`, `face_vid2vid`, `deca`, `flame`, `flame_landmarks` or another word."""
        return str(self.metadata.get("kind"))

    @property
    def licence(self) -> str:
        """Under which terms it may be used."""
        return str(self.metadata.get("licence", "?"))

    @property
    def attributes(self) -> str:
        """Whose attributes a renderer was trained with: `landmarks`, or `deca`, as all released ones."""
        return str(self.metadata.get("attributes", "deca"))

    @property
    def sha256(self) -> str:
        """Of the tensors (`hash_tensors`), as the metadata have it."""
        return str(self.metadata.get("sha256"))


def weights_folder() -> Path:
    """Where imported files go: $FADM_HOME/weights, by default ~/.local/share/fadm/weights."""
    home = os.environ.get("FADM_HOME")
    return (Path(home) if home else Path.home() / ".local/share/fadm") / "weights"


def named_files() -> dict[str, Path]:
    """Files by name; one in the user's folder takes the place of an embedded one of its name."""
    folders = (EMBEDDED_FOLDER, weights_folder())
    return {path.stem: path for folder in folders for path in sorted(folder.glob(f"*{SUFFIX}"))}


def list_weights() -> list[NamedWeights]:
    """All named weights with their metadata. Raises WeightsError for a damaged file."""
    return [NamedWeights(name, path, read_metadata(path)) for name, path in named_files().items()]


def describe_weights(name: str | Path) -> NamedWeights:
    """What the weights of a name or file say of themselves. Raises WeightsError for none and for a damaged file."""
    path = find_weights(name)
    return NamedWeights(path.stem, path, read_metadata(path))


def load_network(name: str | Path, classes: Mapping[str, tuple[type[Any], type[nn.Module]]]) -> nn.Module:
    """Build the network of a named or given weights file and load it, in evaluation mode.

    classes: configuration and network by kind, of the kinds that are wanted. Raises WeightsError when there is no such
    file, when it is of another kind or when its tensors do not fit.
    """
    path = find_weights(name)
    state_dict, metadata = load_weights(path)
    kind = str(metadata.get("kind"))
    if kind not in classes:
        raise WeightsError(f"{path}: these weights are of kind {kind}, {' or '.join(classes)} is needed")
    config_class, network_class = classes[kind]
    network = network_class(config_from_dict(config_class, metadata["config"], source=str(path)))
    load_into(network, state_dict, source=str(path))
    return network.eval()


def find_weights(name: str | Path) -> Path:
    """The file of a name, or the .safetensors file that is given. Raises WeightsError when there is none."""
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
