"""Read the constants of a TensorFlow Lite file as data; its operators are neither parsed nor run.

Field numbers are those of TensorFlow Lite's schema (schema.fbs): tables of a FlatBuffer, fields counted from 0.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flatbuffers.table import Table
from torch import Tensor

from fadm.errors import WeightsError

MODEL_SUBGRAPHS, MODEL_BUFFERS = 2, 4
SUBGRAPH_TENSORS = 0
TENSOR_SHAPE, TENSOR_TYPE, TENSOR_BUFFER, TENSOR_NAME = 0, 1, 2, 3
BUFFER_DATA = 0
FLOATS: dict[int, np.dtype[Any]] = {0: np.dtype("<f4"), 1: np.dtype("<f2")}  # by TensorType
MAGIC = b"TFL3"


def read_tflite(path: Path) -> dict[str, Tensor]:
    """Read the floating-point constants of the first graph.

    Args:
        path: The file.

    Returns:
        Tensors by name, float32.

    Raises:
        WeightsError: The file cannot be read, or it is no intact TensorFlow Lite file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from error
    if content[4:8] != MAGIC:
        raise WeightsError(f"{path} is not a TensorFlow Lite file")
    try:
        return dict(_constants(content))
    except (struct.error, IndexError, ValueError) as error:
        raise WeightsError(f"{path} is damaged: {error}") from error


def _constants(content: bytes) -> Iterator[tuple[str, Tensor]]:
    model = Table(content, struct.unpack_from("<I", content)[0])
    buffers, (graph, *_) = _tables(model, MODEL_BUFFERS), _tables(model, MODEL_SUBGRAPHS)
    for tensor in _tables(graph, SUBGRAPH_TENSORS):
        data = _numbers(buffers[_number(tensor, TENSOR_BUFFER, "<I")], BUFFER_DATA, np.dtype("u1"))
        kind = FLOATS.get(_number(tensor, TENSOR_TYPE, "<b"))
        if len(data) and kind is not None:
            shape = _numbers(tensor, TENSOR_SHAPE, np.dtype("<i4")).tolist()
            values = data.view(kind).astype(np.float32).reshape(shape)
            yield tensor.String(tensor.Pos + _offset(tensor, TENSOR_NAME)).decode(), torch.from_numpy(values)


def _offset(table: Table, field: int) -> int:
    """Offset of a field within its table, 0 if it is absent."""
    return int(table.Offset(4 + 2 * field))


def _number(table: Table, field: int, kind: str) -> int:
    offset = _offset(table, field)
    return int(struct.unpack_from(kind, table.Bytes, table.Pos + offset)[0]) if offset else 0


def _numbers(table: Table, field: int, kind: np.dtype) -> np.ndarray:
    offset = _offset(table, field)
    if not offset:
        return np.empty(0, kind)
    return np.frombuffer(table.Bytes, kind, table.VectorLen(offset), table.Vector(offset))


def _tables(table: Table, field: int) -> list[Table]:
    offset = _offset(table, field)
    if not offset:
        raise ValueError(f"field {field} of a table is missing")
    start = table.Vector(offset)
    return [Table(table.Bytes, table.Indirect(start + 4 * i)) for i in range(table.VectorLen(offset))]
