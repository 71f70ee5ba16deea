"""One step of training: losses, gradients, parameters, averages, and the learning rate of the step."""

import math
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fadm.errors import TrainingError
from fadm.training.checkpoint import TrainedModule, TrainingState
from fadm.training.objective import Batch, Objective
from fadm.training.options import OptimizerOptions, RunOptions

if TYPE_CHECKING:
    from accelerate import Accelerator


def train_step(
    objective: Objective,
    state: TrainingState,
    batches: Iterator[Batch],
    run: RunOptions,
    optimizers: dict[str, OptimizerOptions],
    accelerator: "Accelerator",
) -> dict[str, float]:
    """Train the generator, then the discriminator, on the next batch, and update the averages.

    Args:
        objective: What is trained.
        state: Modules, optimizers and averages, changed in place.
        batches: Micro-batches, from `read_batches`.
        run: Says how many micro-batches make a batch.
        optimizers: Say the largest norm of each gradient.
        accelerator: Of the processes.

    Returns:
        Mean weighted losses by name, over the batch of all processes.

    Raises:
        TrainingError: A loss or a gradient is not finite.
    """
    generator, discriminator = state.modules["generator"], state.modules.get("discriminator")
    sums: dict[str, Tensor] = {}
    for batch in islice(batches, run.accumulation):
        with accelerator.accumulate(*(trained.module for trained in state.modules.values())):
            if objective.discriminator is not None:
                objective.discriminator.requires_grad_(False)
            output = generator.module(batch, objective.discriminator)
            losses = dict(output.losses)
            _descend(generator, sum_losses(losses), optimizers["generator"], accelerator)
            if discriminator is not None and objective.discriminator is not None:
                objective.discriminator.requires_grad_(True)
                pictures = {name: picture.detach() for name, picture in output.pictures.items()}
                discriminator_losses = discriminator.module(batch, pictures)
                _descend(discriminator, sum_losses(discriminator_losses), optimizers["discriminator"], accelerator)
                losses |= discriminator_losses
        for name, loss in losses.items():
            sums[name] = sums.get(name, torch.zeros(())) + loss.detach().float().cpu() / run.accumulation
    for name, average in state.averages.items():
        average.update_parameters(objective.networks[name])
    means: Tensor = accelerator.reduce(torch.stack(list(sums.values())).to(accelerator.device), "mean")
    return dict(zip(sums, means.tolist(), strict=True))


def _descend(trained: TrainedModule, loss: Tensor, options: OptimizerOptions, accelerator: "Accelerator") -> None:
    _check_finite("loss", loss)
    accelerator.backward(loss)
    if accelerator.sync_gradients:
        largest = math.inf if options.clip_norm is None else options.clip_norm
        norm = accelerator.clip_grad_norm_(trained.module.parameters(), largest)
        _check_finite("norm of the gradient", norm)
    trained.optimizer.step()
    trained.optimizer.zero_grad()


def _check_finite(what: str, value: Tensor) -> None:
    if not torch.isfinite(value):
        raise TrainingError(
            f"the {what} is {value.item()}: training has diverged; lower optimizer.learning_rate or set clip_norm, and "
            "start in another folder, with run.start = these weights to begin from what is trained already"
        )


def sum_losses(losses: dict[str, Tensor]) -> Tensor:
    """Add up weighted losses.

    Args:
        losses: Scalars by name.

    Returns:
        What is minimised, a float32 scalar.
    """
    return torch.stack([loss.float() for loss in losses.values()]).sum()


def set_learning_rate(trained: TrainedModule, options: OptimizerOptions, step: int, steps: int) -> None:
    """Set the learning rate, with warm-up and cosine decay, as a function of the step alone.

    Args:
        trained: The module whose optimizer is changed.
        options: Learning rate, warm-up and decay.
        step: Steps done.
        steps: Steps of the whole run.
    """
    rate = options.learning_rate * min(1.0, (step + 1) / max(1, options.warmup_steps))
    if options.decay == "cosine":
        share = 0.5 * (1 + math.cos(math.pi * step / steps))
        rate *= options.final_share + (1 - options.final_share) * share
    for group in trained.optimizer.param_groups:
        group["lr"] = rate
