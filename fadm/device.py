"""Where and how precisely the networks compute, and where every random number comes from."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch

from fadm.errors import OptionError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def choose_device(name: str = "auto") -> torch.device:
    """The named device, or for `auto` the first of CUDA, MPS and CPU that is present.

    Raises OptionError for a device that PyTorch does not know or that this machine lacks.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, present in available.items() if present))
    if not available.get(name.partition(":")[0], False):
        present = ", ".join(kind for kind, here in available.items() if here)
        raise OptionError(f"device {name!r} is not available; this machine has: auto, {present}")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise OptionError(f"device {name!r} is not a device name; write for instance cpu or cuda:0") from error


def choose_dtype(device: torch.device, name: str = "auto") -> torch.dtype:
    """The named precision, or for `auto` bfloat16 where the device computes it natively, else float32.

    Raises OptionError for an unknown name.
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
    """A context in which convolutions and products compute in `dtype`; float32 needs none."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype)


def seeded_generator(*seeds: int) -> torch.Generator:
    """A generator that depends on all of the `seeds`, as in (seed, step, frame); OptionError for negative ones.

    Always on the CPU: the same seeds give the same numbers on every device.
    """
    if min(seeds) < 0:
        raise OptionError(f"seed {min(seeds)} is negative; choose 0 or a larger number")
    state = np.random.SeedSequence(seeds).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]) >> 1)  # manual_seed takes 63 bits


@contextmanager
def limit_threads(count: int) -> Iterator[None]:
    """Compute with that many CPU threads: work in small pieces loses more at their barriers than it gains."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
