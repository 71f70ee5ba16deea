"""What a run will take, measured: a few real steps on one real batch, not a formula."""

import resource
import time
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import default_collate
from torch.utils.flop_counter import FlopCounterMode

from fadm.device import autocast, choose_device, choose_dtype
from fadm.training.loop import Task, sum_losses
from fadm.training.objective import Batch, to_unit, use_channels_last
from fadm.training.options import RunOptions

TIMED_STEPS = 2


@dataclass(frozen=True)
class Estimate:
    """parameters: trained ones, by player; gflops: of one sample, forward and backward; seconds: of the whole run.

    gigabytes: the most memory that this process has used, samples and frozen networks included.
    """

    parameters: dict[str, int]
    gflops: float
    samples_per_second: float
    seconds: float
    gigabytes: float


def estimate_run(task: Task, run: RunOptions) -> Estimate:
    """Measure a task on this machine with one process; nothing is written."""
    device = choose_device()
    players = {"generator": task.objective.generator, "discriminator": task.objective.discriminator}
    for player in players.values():
        if player is not None:
            use_channels_last(player.to(device).train())
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
        parameters={name: _count(player) for name, player in players.items() if player is not None},
        gflops=counter.get_total_flops() / 1e9,
        samples_per_second=rate,
        seconds=run.steps * run.batch_size / rate,
        gigabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    )


def _compute(task: Task, batch: Batch, run: RunOptions, device: torch.device) -> None:
    """Forward and backward of all players."""
    objective, context = task.objective, autocast(device, choose_dtype(device, run.precision))
    with context:
        outcome = objective.generator(batch, objective.discriminator)
    sum_losses(outcome.losses).backward()
    if objective.discriminator is not None:
        with context:
            judged = objective.discriminator(
                batch, {name: picture.detach() for name, picture in outcome.pictures.items()}
            )
        sum_losses(judged).backward()


def _count(player: nn.Module) -> int:
    return sum(parameter.numel() for parameter in player.parameters() if parameter.requires_grad)
