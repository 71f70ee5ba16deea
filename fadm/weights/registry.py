"""Named weights: the package's own files and those that the user has imported into the weights folder."""

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fadm.errors import WeightsError
from fadm.weights.store import read_metadata

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
        """Comes with the package."""
        return self.path.parent == EMBEDDED_FOLDER


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
