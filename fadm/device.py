"""Devices, precision, random number generators and threads of the computation."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from itertools import islice, repeat, takewhile
from threading import Lock
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from fadm.errors import FadmError, OptionError

Item = TypeVar("Item")
Result = TypeVar("Result")
Network = TypeVar("Network", bound=nn.Module)

MAX_WORKERS = 4  # threads that compute frames in parallel
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def choose_device(name: str = "auto") -> torch.device:
    """Choose the device to compute on.

    Args:
        name: A PyTorch device such as `cuda:0`, or `auto` for the first of CUDA, MPS and CPU that is present.

    Returns:
        The device.

    Raises:
        OptionError: PyTorch does not know the device, or this machine lacks it.
    """
    num_cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    counts = {"cuda": num_cuda, "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    if name == "auto":
        return torch.device(next(kind for kind, count in counts.items() if count))
    kind = name.partition(":")[0]
    try:
        device = torch.device(name) if counts.get(kind) else None
    except RuntimeError as error:
        raise OptionError(f"device {name!r} is not a device name; write for instance cpu or cuda:0") from error
    if device is None or (device.index or 0) >= counts[kind]:
        present = (f"{k}:{index}" if count > 1 else k for k, count in counts.items() for index in range(count))
        raise OptionError(f"device {name!r} is not available; this machine has: auto, {', '.join(present)}")
    return device


def choose_dtype(device: torch.device, name: str = "auto") -> torch.dtype:
    """Choose the precision of the networks.

    Args:
        device: The device to compute on.
        name: `float32`, `bfloat16`, or `auto` for bfloat16 where the device supports it natively, else float32.

    Returns:
        The precision.

    Raises:
        OptionError: The name is unknown.
    """
    if name == "auto":
        native = {
            "cuda": lambda: torch.cuda.is_bf16_supported(including_emulation=False),
            "cpu": torch.cpu._is_avx512_bf16_supported,
        }.get(device.type, lambda: False)
        return torch.bfloat16 if native() else torch.float32
    if name not in DTYPES:
        raise OptionError(f"precision {name!r} is unknown; choose auto, {', '.join(DTYPES)}")
    return DTYPES[name]


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Build a context in which convolutions and matrix products compute in a precision, whatever the outer context.

    Args:
        device: The device to compute on.
        dtype: torch.float32 or torch.bfloat16.

    Returns:
        The context manager.
    """
    if dtype == torch.float32:
        return torch.autocast(device.type, enabled=False)
    return torch.autocast(device.type, dtype)


def store_weights(network: Network, dtype: torch.dtype) -> Network:
    """Keep the weights of convolutions and linear layers in the precision that `autocast` computes in.

    The results are the same; without this each call converts all weights again.

    Args:
        network: The network, changed in place; it is not trained any more.
        dtype: torch.float32 or torch.bfloat16.

    Returns:
        The network.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.to(dtype)
    return network


def seeded_generator(*seeds: int) -> torch.Generator:
    """Make a random generator that depends on several seeds, on the CPU so that every device gets the same numbers.

    Args:
        *seeds: Numbers from 0, such as seed, step and frame.

    Returns:
        The generator.

    Raises:
        OptionError: A seed is negative.
    """
    if min(seeds) < 0:
        raise OptionError(f"seed {min(seeds)} is negative; choose 0 or a larger number")
    state = np.random.SeedSequence(seeds).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]) >> 1)  # manual_seed takes 63 bits


def count_workers() -> int:
    """Number of threads that compute frames in parallel."""
    return min(os.cpu_count() or 1, MAX_WORKERS)


class _OneThreadEach:
    """Limits PyTorch to one CPU thread in new threads while at least one caller is in the context."""

    def __init__(self) -> None:
        self._lock, self._users, self._before = Lock(), 0, 1

    def __enter__(self) -> None:
        with self._lock:
            self._before = self._before if self._users else torch.get_num_threads()
            self._users += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                torch.set_num_threads(self._before)  # a thread's setting is also the one that new threads start with

    def limit_fork(self) -> None:
        """Limit a forked process to one CPU thread for good: OpenMP would wait for threads that only the parent has."""
        self._lock, self._before = Lock(), 1  # another thread may have held the lock
        torch.set_num_threads(1)


_one_thread_each = _OneThreadEach()


@cache
def prepare_for_forks() -> None:
    """Let processes that are forked from this one compute, as a web server's workers do, each in one CPU thread."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_one_thread_each.limit_fork)


def map_ahead(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Map a function over items in parallel threads, in order, computing only the next few results ahead.

    Each thread uses one CPU thread, because small operations lose more at PyTorch's barriers than they gain.

    Args:
        work: The function; called from several threads at once.
        items: Its arguments, of any number, read as needed.
        workers: Number of threads.

    Yields:
        The results in the order of the items.

    Raises:
        FadmError: The process is a fork of the one that began, whose threads it has not.
    """
    rest, process = iter(items), os.getpid()
    with _one_thread_each, ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        pending = deque(pool.submit(work, item) for item in islice(rest, 2 * workers))
        try:
            while pending:
                if os.getpid() != process:
                    raise FadmError("these frames were begun before the process was forked; begin them after the fork")
                result = pending.popleft().result()
                pending.extend(pool.submit(work, item) for item in islice(rest, 1))
                yield result
        finally:
            pool.shutdown(cancel_futures=True)


def read_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Iterate in a thread of its own, with one CPU thread for PyTorch, a few items ahead.

    Args:
        items: The items.

    Yields:
        The items in order.

    Raises:
        FadmError: The process is a fork of the one that began.
    """
    iterator, end = iter(items), object()
    read = map_ahead(lambda _: next(iterator, end), repeat(None), workers=1)
    yield from takewhile(lambda item: item is not end, read)
