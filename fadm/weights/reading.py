"""Read the tensors of a released file in any of its formats, without executing code from the file."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from fadm.errors import WeightsError
from fadm.weights.unpickling import Array, read_arrays, read_torch

ZIP_MAGIC = b"PK\x03\x04"
LEGACY_TORCH_MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"
NUMPY_MAGIC = b"\x93NUMPY"
DEEPEST_ENTRY = 4


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read every tensor of a torch checkpoint, a pickled dict of arrays or a .npy file of such a dict.

    Nested entries get dotted names, and the `module.` of data-parallel training is removed. Numbers become float32 or
    int64.

    Args:
        path: The file.

    Returns:
        Tensors by name.

    Raises:
        WeightsError: The file cannot be read, or names code that would run.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(len(LEGACY_TORCH_MAGIC))
            stream.seek(0)
            if head.startswith(ZIP_MAGIC) or head == LEGACY_TORCH_MAGIC:
                values = read_torch(stream)
            elif head.startswith(NUMPY_MAGIC):
                _skip_numpy_header(stream)
                values = read_arrays(stream)
            else:
                values = read_arrays(stream)
        return _collect(_flatten(values))
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from error
    except WeightsError as error:
        raise WeightsError(f"cannot read {path}: {error}") from error


def _skip_numpy_header(stream: BinaryIO) -> None:
    """Skip to the data of a .npy file: magic, version (2 bytes), header length (2 or 4 bytes), header."""
    version = stream.read(len(NUMPY_MAGIC) + 2)[-2]
    length = int.from_bytes(stream.read(2 if version == 1 else 4), "little")
    if b"|O" not in stream.read(length):
        raise WeightsError("it holds a single array, not a table of arrays")


def _flatten(values: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor | Array]]:
    """Yield the leaves of nested dicts under dotted names; values that are not arrays are left out."""
    if isinstance(values, Mapping) and depth < DEEPEST_ENTRY:
        for key, value in values.items():
            yield from _flatten(value, f"{prefix}.{key}" if prefix else str(key), depth + 1)
    elif isinstance(values, Tensor | np.ndarray):
        yield prefix, values


def _collect(leaves: Iterator[tuple[str, Tensor | Array]]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for key, value in leaves:
        name = re.sub(r"(^|\.)module\.", r"\1", key)
        if name in tensors:
            raise WeightsError(f"it holds {name} twice, with and without 'module.'")
        tensors[name] = _plain(name, value)
    return tensors


def _plain(key: str, value: Tensor | Array) -> Tensor:
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value.astype(np.float32 if value.dtype.kind == "f" else np.int64))
    tensor = value.detach()
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
        raise WeightsError(f"{key} is not a plain tensor")
    return tensor.float() if tensor.is_floating_point() else tensor.long()
