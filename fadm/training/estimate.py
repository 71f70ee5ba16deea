"""What a run needs, measured on this machine: a few real steps on one real batch."""

import resource
import time
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import default_collate
from torch.utils.flop_counter import FlopCounterMode

from fadm.device import autocast, choose_device, choose_dtype
from fadm.training.loop import Task
from fadm.training.objective import Batch, to_unit, use_channels_last
from fadm.training.options import RunOptions
from fadm.training.step import sum_losses

TIMED_STEPS = 2


@dataclass(frozen=True)
class Estimate:
    """Size, cost and duration of a run.

    Attributes:
        parameters: Number of trained parameters, of `generator` and `discriminator`.
        gflops: 10^9 operations for one sample, forward and backward.
        samples_per_second: Speed of one process on this machine.
        seconds: Duration of the whole run at that speed.
        gigabytes: The most memory that this process has used, samples and frozen networks included.
    """

    parameters: dict[str, int]
    gflops: float
    samples_per_second: float
    seconds: float
    gigabytes: float


def estimate_run(task: Task, run: RunOptions) -> Estimate:
    """Measure a task on this machine with one process; nothing is written and no parameter changes.

    Args:
        task: What is trained.
        run: Batch size, number of steps and precision.

    Returns:
        The measured costs.
    """
    device = choose_device()
    modules = {"generator": task.objective.generator, "discriminator": task.objective.discriminator}
    for module in modules.values():
        if module is not None:
            use_channels_last(module.to(device).train())
    size = max(1, run.batch_size // run.accumulation)
    batch = default_collate([task.samples[number] for number in range(size)])
    batch = {name: to_unit(tensor.to(device)) for name, tensor in batch.items()}
    with FlopCounterMode(display=False) as counter:
        _compute(task, {name: tensor[:1] for name, tensor in batch.items()}, run, device)
    _compute(task, batch, run, device)  # the first pass also chooses kernels
    start = time.perf_counter()
    for _ in range(TIMED_STEPS):
        _compute(task, batch, run, device)
    rate = TIMED_STEPS * size / (time.perf_counter() - start)
    return Estimate(
        parameters={name: _count(module) for name, module in modules.items() if module is not None},
        gflops=counter.get_total_flops() / 1e9,
        samples_per_second=rate,
        seconds=run.steps * run.batch_size / rate,
        gigabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    )


def _compute(task: Task, batch: Batch, run: RunOptions, device: torch.device) -> None:
    """Run forward and backward of the generator and the discriminator."""
    objective, context = task.objective, autocast(device, choose_dtype(device, run.precision))
    with context:
        output = objective.generator(batch, objective.discriminator)
    sum_losses(output.losses).backward()
    if objective.discriminator is not None:
        pictures = {name: picture.detach() for name, picture in output.pictures.items()}
        with context:
            losses = objective.discriminator(batch, pictures)
        sum_losses(losses).backward()


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
