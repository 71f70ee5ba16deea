"""Import a released file: read its tensors, recognise its kind, rename and check them, write safetensors."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fadm.config import config_from_dict, config_to_dict
from fadm.errors import OptionError, WeightsError
from fadm.weights import registry
from fadm.weights.reading import read_tensors
from fadm.weights.released.kinds import KINDS, Kind
from fadm.weights.renaming import describe_differences, rename, shapes_of
from fadm.weights.store import save_weights


@dataclass(frozen=True)
class ImportedWeights:
    """Result of an import.

    Attributes:
        path: The new file.
        kind: Kind of the model.
        num_tensors: Number of tensors.
        num_values: Number of values of all tensors.
        left_out: Top-level entries of the released file that do not belong to the model.
    """

    path: Path
    kind: str
    num_tensors: int
    num_values: int
    left_out: tuple[str, ...]


def import_weights(source: Path, name: str | None = None) -> ImportedWeights:
    """Import a released file into the weights folder.

    Args:
        source: The released file.
        name: Name of the weights, by default the kind's.

    Returns:
        The new file and its contents.

    Raises:
        WeightsError: The file cannot be read safely, is of no known kind, or differs from its kind in a key or shape.
        OptionError: The name cannot be a file's name.
        OutputError: The weights folder cannot be written.
    """
    if name is not None and not re.fullmatch(r"\w[\w.-]*", name):
        raise OptionError(f"{name!r} cannot be a name: use letters, digits, '_', '-' and '.'")
    tensors = read_tensors(source)
    kind = recognise(tensors, source)
    released, left_out = select_entries(tensors, KINDS[kind])
    state_dict, config = convert(released, kind, source)
    path = registry.weights_folder() / f"{name or kind}{registry.SUFFIX}"
    metadata = {
        "kind": kind,
        "title": KINDS[kind].title,
        "licence": KINDS[kind].licence,
        "source": source.name,
        "source_sha256": _hash_file(source),
    }
    save_weights(path, state_dict, config=config, metadata=metadata)
    num_values = sum(tensor.numel() for tensor in state_dict.values())
    return ImportedWeights(path, kind, len(state_dict), num_values, left_out)


def recognise(tensors: Mapping[str, Tensor], source: Path) -> str:
    """Recognise the kind of a released file by its entries.

    Args:
        tensors: Tensors by released name.
        source: The file, for the error message.

    Returns:
        The kind, a key of KINDS.

    Raises:
        WeightsError: The file is of no known kind.
    """
    for name, kind in KINDS.items():
        if _find_prefix(tensors, kind.entries[0]) is not None:
            return name
    found = sorted({key.partition(".")[0] for key in tensors})
    known = "; ".join(f"{kind.title}: {', '.join(kind.entries)}" for kind in KINDS.values())
    raise WeightsError(f"{source} is of no known kind: its entries are {', '.join(found) or 'none'}. Known are {known}")


def _find_prefix(tensors: Mapping[str, Tensor], entry: str) -> str | None:
    """Prefix of an entry in the keys ('' or for instance 'state_dict.'), None if no key has the entry."""
    for key in tensors:
        match = re.match(rf"(.*?\.|){re.escape(entry)}(\.|$)", key)
        if match:
            return match[1]
    return None


def select_entries(tensors: Mapping[str, Tensor], kind: Kind) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Select the entries of a kind and remove their common prefix.

    Args:
        tensors: Tensors by released name.
        kind: The kind.

    Returns:
        Tensors by released name without the prefix, and the names of the other top-level entries.
    """
    prefix = _find_prefix(tensors, kind.entries[0]) or ""
    selected, left_out = {}, []
    for key, tensor in tensors.items():
        inner = key.removeprefix(prefix)
        if key.startswith(prefix) and inner.partition(".")[0] in kind.entries:
            selected[inner] = tensor
        else:
            left_out.append(inner.partition(".")[0])
    return selected, tuple(dict.fromkeys(left_out))


def convert(released: Mapping[str, Tensor], kind: str, source: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Rename a released state-dict and check that it fits our module key by key.

    Args:
        released: Tensors by released name.
        kind: The kind, a key of KINDS.
        source: The file, for error messages.

    Returns:
        State-dict and configuration of our module.

    Raises:
        WeightsError: Tensors are missing, extra or of the wrong shape; the message lists them.
    """
    table = KINDS[kind].table
    state_dict = rename(released, table.RULES, table.IGNORED)
    try:
        sizes = table.config_from_state_dict(shapes_of(released))
    except (KeyError, IndexError, ValueError):
        sizes = {}  # too much is missing to derive the sizes: compare with the released ones
    config: Any = config_from_dict(KINDS[kind].config, sizes, source=str(source))
    with torch.device("meta"):
        module = KINDS[kind].build(config)
    differences = describe_differences(shapes_of(state_dict), shapes_of(module.state_dict()))
    if differences:
        raise WeightsError(f"{source} does not match its kind ({KINDS[kind].title}): {differences}")
    return state_dict, config_to_dict(config)


def _hash_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
