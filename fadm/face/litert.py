"""The vendored face models, run by LiteRT on the CPU in one thread."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from fadm.face.models import model_path

FloatArray = NDArray[np.float32]

_error_stream = threading.RLock()


class Model:
    """One of the face models; an instance serves one thread at a time.

    Args:
        name: Name of the model's file, such as `face_detector`.
    """

    def __init__(self, name: str) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with model_path(name) as path, _silent_error_stream():
            self._interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
            self._interpreter.allocate_tensors()
        (described,) = self._interpreter.get_input_details()
        self._input = described["index"]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]

    def __call__(self, values: FloatArray) -> list[FloatArray]:
        """Run the model.

        Args:
            values: The input, float32 in the model's shape, the first dimension (1) included.

        Returns:
            The outputs in the model's order.

        Raises:
            ValueError: The input has another shape.
        """
        self._fill(values)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]

    def _fill(self, values: FloatArray) -> None:
        """Copy the input into the model's memory by torch, which copies views several times quicker than LiteRT."""
        held = self._interpreter.tensor(self._input)()
        if values.shape != held.shape:
            raise ValueError(f"expected an input of the shape {held.shape}, got {values.shape}")
        torch.from_numpy(held).copy_(torch.from_numpy(values))


class ModelPerThread:
    """A model for use in several threads: each builds an instance of its own when it first needs one.

    Args:
        name: Name of the model's file.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._instances = threading.local()

    def __call__(self, values: FloatArray) -> list[FloatArray]:
        """Run the model; see `Model`."""
        if not hasattr(self._instances, "model"):
            self._instances.model = Model(self._name)
        return self._instances.model(values)


@contextmanager
def _silent_error_stream() -> Iterator[None]:
    """Suppress the notice that LiteRT's C++ code writes to the error stream when a process builds its first model.

    The stream belongs to the process, so one thread at a time enters the block.

    Yields:
        Nothing.
    """
    with _error_stream:
        try:
            saved = os.dup(2)
        except OSError:  # the stream is closed: nothing can be written to it
            yield
            return
        sink = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(sink, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(sink)
