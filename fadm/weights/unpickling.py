"""Read arrays from pickles without running them: each class that a pickle names becomes an inert record.

A pickle is a program that may call anything it names. Here each allowed name stands for a class that only stores its
arguments; every other name is refused. Afterwards the records of arrays are decoded.
"""

import io
import pickle
import re
from math import prod
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from fadm.errors import WeightsError

Array = NDArray[Any]

ARRAY = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
BUFFER_ARRAY = ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer")
SPARSE_MATRIX = ("scipy.sparse.csc.csc_matrix", "scipy.sparse._csc.csc_matrix")
CHUMPY_ARRAY = "chumpy.ch.Ch"
TENSOR = "torch._utils._rebuild_tensor_v2"
STORAGE = "torch.storage._load_from_bytes"
PLAIN_OBJECT = "copyreg._reconstructor"
ENCODED_BYTES = "_codecs.encode"
DTYPE = "numpy.dtype"
INERT = {
    *ARRAY,
    *BUFFER_ARRAY,
    *SPARSE_MATRIX,
    CHUMPY_ARRAY,
    TENSOR,
    STORAGE,
    PLAIN_OBJECT,
    ENCODED_BYTES,
    DTYPE,
    "numpy.ndarray",
    "builtins.object",
}
CONTAINERS = {"collections.OrderedDict": dict, "builtins.set": set}
PYTHON2_MODULES = {"copy_reg": "copyreg", "__builtin__": "builtins"}
NUMBERS = re.compile(r"[<>|=]?[biuf]\d{1,2}")


class Record:
    """An object of a pickle that only stores what would have built it.

    Attributes:
        name: Full name of the object's class.
        arguments: Arguments of the constructor.
        state: State that the pickle sets afterwards, or None.
    """

    name = ""
    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> "Record":
        """Store the arguments; both of pickle's ways to build an object call this."""
        record = super().__new__(cls)
        record.arguments = arguments
        record.state = None
        return record

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _InertUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        full_name = f"{PYTHON2_MODULES.get(module, module)}.{name}"
        if full_name in CONTAINERS:
            return CONTAINERS[full_name]
        if full_name in INERT:
            return type("Record", (Record,), {"name": full_name})
        raise WeightsError(f"it names {full_name}, which no released file needs: refused, nothing of it ran")


def read_arrays(stream: BinaryIO) -> dict[str, Array]:
    """Read a pickled dict of arrays, from Python 2 as well; values that are not arrays are left out.

    Arrays are numpy arrays, chumpy arrays, scipy's sparse matrices (returned dense) and torch tensors.

    Args:
        stream: The pickle.

    Returns:
        Arrays by name.

    Raises:
        WeightsError: The stream names any other class, or is not a pickled dict of arrays.
    """
    try:
        table = _InertUnpickler(stream, encoding="latin1").load()
        if isinstance(table, Record):  # what numpy.save makes of a dict: an array of one object
            table = _single_object(table)
        if not isinstance(table, dict):
            raise WeightsError(f"it holds a {type(table).__name__}, not a table of arrays")
        return {str(key): _array(value) for key, value in table.items() if isinstance(value, Record)}
    except WeightsError:
        raise
    except Exception as error:  # a damaged stream makes the unpickler fail in any way
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise WeightsError(f"it is not a readable pickle ({reason})") from error


def read_torch(stream: BinaryIO) -> Any:
    """Read the output of torch.save in its present or its older format: containers, numbers, text and tensors.

    Args:
        stream: The file.

    Returns:
        The object that was saved.

    Raises:
        WeightsError: The file names anything else, or is damaged.
    """
    try:
        return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL `?([\w.]+)", str(error))
        what = f"names {named[1]}" if named else "holds more than tensors"
        raise WeightsError(f"it {what}, which no released file needs: refused, nothing of it ran") from error
    except Exception as error:  # a damaged archive makes torch fail in any way
        reason = str(error).partition(". ")[0] or type(error).__name__
        raise WeightsError(f"it is a damaged torch file ({reason})") from error


def _array(record: Record) -> Array:
    name, state, arguments = _class_name(record), record.state, record.arguments
    if name in ARRAY:
        _, shape, dtype, is_fortran, data = state
        return _shaped(_bytes(data), _dtype(dtype), shape, "F" if is_fortran else "C")
    if name in BUFFER_ARRAY:
        data, dtype, shape, order = arguments
        return _shaped(_bytes(data), _dtype(dtype), shape, order)
    if name in SPARSE_MATRIX:
        return _dense(state)
    if name == CHUMPY_ARRAY:
        return _array(state["x"])
    if name == TENSOR:
        return _tensor(*arguments[:4]).numpy()
    raise WeightsError(f"it holds a {name} where an array belongs")


def _class_name(record: Record) -> str:
    """Name of the object's class; Python 2 names it as the first argument of a general constructor."""
    return record.arguments[0].name if record.name == PLAIN_OBJECT else record.name


def _single_object(record: Record) -> Any:
    if record.name not in ARRAY or record.state[1] != ():
        raise WeightsError("it holds a single object, not a table of arrays")
    return record.state[4][0]


def _shaped(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], order: str) -> Array:
    if len(data) != prod(shape) * dtype.itemsize:
        raise WeightsError(f"it holds an array of shape {shape} with {len(data)} bytes")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if order == "F" else "C")


def _dtype(record: Record) -> np.dtype[Any]:
    text = record.arguments[0]
    if record.name != DTYPE or not NUMBERS.fullmatch(text):
        raise WeightsError(f"it holds an array of {text!r}, not of numbers")
    return np.dtype(text).newbyteorder(record.state[1])


def _bytes(value: Any) -> bytes:
    if isinstance(value, Record) and value.name == ENCODED_BYTES:
        value = value.arguments[0]
    return value.encode("latin1") if isinstance(value, str) else bytes(value)


def _dense(state: dict[str, Any]) -> Array:
    """A compressed-column matrix: column j holds data[indptr[j]:indptr[j + 1]] at rows indices[same]."""
    data, indices, indptr = (_array(state[key]) for key in ("data", "indices", "indptr"))
    dense = np.zeros(state["_shape" if "_shape" in state else "shape"], data.dtype)
    columns = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    np.add.at(dense, (indices, columns), data)
    return dense


def _tensor(storage: Record, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> torch.Tensor:
    if storage.name != STORAGE:
        raise WeightsError(f"it holds a tensor made from {storage.name}")
    kept = read_torch(io.BytesIO(_bytes(storage.arguments[0])))
    flat = torch.empty(0, dtype=kept.dtype).set_(kept)
    return flat.as_strided(size, stride, offset).clone()
