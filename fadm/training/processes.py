"""The processes that train together, with their devices and precision, through the package accelerate."""

from datetime import timedelta
from typing import TYPE_CHECKING

import torch

from fadm.device import choose_device, choose_dtype
from fadm.optional import require
from fadm.training.options import RunOptions

if TYPE_CHECKING:
    from accelerate import Accelerator, PartialState

LONGEST_WAIT = timedelta(days=1)  # of processes for the one that makes pairs


def join_processes() -> "PartialState":
    """Join the processes that a launcher started: each on its own GPU or, without GPUs, all on the CPU (gloo).

    Returns:
        This process among the others; alone where there was no launcher.

    Raises:
        PackageError: accelerate or tensorboard is not installed.
    """
    for package in ("accelerate", "tensorboard"):
        require(package, package=package, purpose="training", extra="train")
    from accelerate import PartialState

    return PartialState(cpu=choose_device().type == "cpu", timeout=LONGEST_WAIT)


def make_accelerator(run: RunOptions) -> "Accelerator":
    """Set up devices, precision and gradient accumulation.

    Args:
        run: Says the precision and in how many parts a batch is computed.

    Returns:
        The accelerator, for the devices that the launcher gave or this machine has.

    Raises:
        PackageError: accelerate or tensorboard is not installed.
    """
    is_half = choose_dtype(join_processes().device, run.precision) == torch.bfloat16
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()  # an earlier training of this process may have had another precision
    return Accelerator(
        mixed_precision="bf16" if is_half else "no",
        gradient_accumulation_steps=run.accumulation,
        # Conditions that are switched off leave parameters without a gradient.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


def is_true_in_any(is_true: bool, accelerator: "Accelerator") -> bool:
    """Combine the processes' answers, so that all of them act alike after the same step.

    Args:
        is_true: This process's answer.
        accelerator: Of the processes.

    Returns:
        Whether the answer is yes in at least one process.
    """
    if accelerator.num_processes == 1:
        return is_true
    votes = accelerator.reduce(torch.tensor(float(is_true), device=accelerator.device))
    return bool(votes > 0)
