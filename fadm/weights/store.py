"""Weights files: safetensors with the configuration and the hash of the tensors in their metadata."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fadm.device import prepare_for_forks
from fadm.errors import OutputError, WeightsError
from fadm.files import place_of, replace_file
from fadm.weights.renaming import describe_differences, shapes_of


def hash_tensors(state_dict: Mapping[str, Tensor]) -> str:
    """Compute the SHA-256 of the tensors in the order of their names.

    Each adds the line `["name", "dtype", [shape]]` as JSON and then its values, row by row in the machine's
    (little-endian) bytes.

    Args:
        state_dict: Tensors by name.

    Returns:
        The hash in hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name in sorted(state_dict):
        tensor = state_dict[name].detach().cpu().contiguous()
        title = [name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape)]
        digest.update(json.dumps(title).encode() + b"\n")
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def save_weights(
    path: Path,
    state_dict: Mapping[str, Tensor],
    *,
    config: Mapping[str, Any],
    metadata: Mapping[str, str],
) -> None:
    """Write a weights file, whole or not at all.

    Args:
        path: The file.
        state_dict: Tensors by name, written in their own types.
        config: Configuration of the network.
        metadata: Further metadata, text by name.

    Raises:
        OutputError: The file cannot be written.
    """
    tensors = {name: _own_memory(tensor.detach().cpu()) for name, tensor in state_dict.items()}
    header = {**metadata, "config": json.dumps(config), "sha256": hash_tensors(tensors)}
    place = place_of(path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(place) as temporary:
            save_file(tensors, temporary, metadata=header)
    except (OSError, SafetensorError) as error:
        raise OutputError(f"cannot write the weights {path}: {error}") from error


def _own_memory(tensor: Tensor) -> Tensor:
    """A contiguous tensor that shares no memory, which safetensors cannot store."""
    is_part = tensor.untyped_storage().nbytes() != tensor.nbytes
    return tensor.clone(memory_format=torch.contiguous_format) if is_part else tensor.contiguous()


def read_metadata(path: Path) -> dict[str, Any]:
    """Read the metadata of a weights file without its tensors.

    Args:
        path: The file.

    Returns:
        Text by name, except `config`, which is a dict.

    Raises:
        WeightsError: The file cannot be read, or it is not a weights file of fadm.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, Any] = dict(file.metadata() or {})
        metadata["config"] = json.loads(metadata["config"])
    except OSError as error:
        raise WeightsError(f"cannot read the weights {path}: {error}") from error
    except (SafetensorError, ValueError) as error:
        raise WeightsError(f"{path} is not a weights file or is damaged ({error})") from error
    except KeyError as error:
        raise WeightsError(f"{path} has no {error} in its metadata: it was not written by fadm") from error
    return metadata


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a weights file.

    Args:
        path: The file.

    Returns:
        Tensors by name, floating-point ones in float32, and the metadata as `read_metadata` returns it.

    Raises:
        WeightsError: The file cannot be read, or it is not a weights file of fadm.
    """
    metadata = read_metadata(path)
    tensors = load_file(path)
    return {key: _single_precision(tensor) for key, tensor in tensors.items()}, metadata


def _single_precision(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def verify_weights(path: Path) -> dict[str, Any]:
    """Compare the tensors of a weights file with the hash in its metadata.

    Args:
        path: The file.

    Returns:
        The metadata as `read_metadata` returns it.

    Raises:
        WeightsError: The file cannot be read, is not a weights file of fadm, or differs from its hash.
    """
    metadata = read_metadata(path)
    found = hash_tensors(load_file(path))
    if found != metadata.get("sha256"):
        raise WeightsError(
            f"{path} is damaged: its tensors have SHA-256 {found}, its metadata says {metadata.get('sha256')}"
        )
    return metadata


def halve_weights(path: Path, output: Path) -> None:
    """Write a weights file again in float16, which halves its size.

    Args:
        path: The file.
        output: The new file.

    Raises:
        WeightsError: The file is not a weights file of fadm, or has values out of float16's range.
        OutputError: The new file cannot be written.
    """
    tensors, metadata = load_weights(path)
    halved = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in tensors.items()}
    broken = [key for key, tensor in halved.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise WeightsError(f"{path}: {broken[0]} has values that float16 cannot hold; keep the file as it is")
    kept = {key: value for key, value in metadata.items() if key not in ("config", "sha256")}
    save_weights(output, halved, config=metadata["config"], metadata=kept)


def load_into(module: nn.Module, state_dict: Mapping[str, Tensor], *, source: str) -> None:
    """Load tensors into a module that has exactly these. From now on forked processes can compute.

    Args:
        module: The module.
        state_dict: Tensors by name.
        source: Where the tensors come from, to begin the error message with.

    Raises:
        WeightsError: Tensors are missing, extra or of the wrong shape; the message lists them.
    """
    differences = describe_differences(shapes_of(state_dict), shapes_of(module.state_dict()))
    if differences:
        raise WeightsError(f"{source} does not fit {type(module).__name__}: {differences}")
    module.load_state_dict(state_dict)
    prepare_for_forks()
