"""The training loop, the same for every kind of network, for one process and for many.

Step k is a function of the recipe, the state before it and k: all that is random in it comes from the numbers of its
samples (fadm/data/datasets.py). So a run that was killed resumes as if it had never stopped.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn
from torch.optim import AdamW
from torch.utils.data import DataLoader, Dataset

from fadm.config import config_to_dict
from fadm.data.datasets import Sample, StepBatches
from fadm.data.shards import Pixels
from fadm.processes import leave_interrupts_to_parent
from fadm.training.checkpoint import TrainedModule, TrainingState, average_networks, load_state, save_state
from fadm.training.logbook import Logbook, StepReport
from fadm.training.objective import Batch, Objective, to_unit, use_channels_last
from fadm.training.options import DataOptions, OptimizerOptions, RunOptions
from fadm.training.processes import is_true_in_any, make_accelerator
from fadm.training.run_folder import RunFolder
from fadm.training.signals import stop_signals
from fadm.training.step import set_learning_rate, train_step
from fadm.weights.store import save_weights

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True)
class Validation:
    """How good networks are on held-out identities.

    Attributes:
        numbers: Means by name; the first one (lower is better) chooses the best weights.
        grid: A sheet of pictures (H, W, 3), uint8.
    """

    numbers: dict[str, float]
    grid: Pixels


@dataclass(frozen=True)
class Task:
    """One kind of training, ready to run.

    Attributes:
        objective: What is minimised.
        samples: The training data; sample j is a function of the seed and j alone.
        validate: Measures networks, given by name.
        metadata: For each network's weights file: kind, training data and their terms.
    """

    objective: Objective
    samples: Dataset[Sample]
    validate: Callable[[dict[str, nn.Module]], Validation]
    metadata: dict[str, dict[str, str]]


def train(
    task: Task,
    run: RunOptions,
    data: DataOptions,
    optimizers: dict[str, OptimizerOptions],
    folder: RunFolder,
    report: Callable[[StepReport], None] = lambda report: None,
) -> TrainingState:
    """Train to the last step, from the folder's checkpoint where there is one.

    SIGTERM, SIGHUP and Ctrl-C write a checkpoint first and raise KeyboardInterrupt.

    Args:
        task: What is trained.
        run: Length of the run, and what is written when.
        data: Says how many processes read ahead.
        optimizers: Options of the generator's and, where there is one, the discriminator's optimizer.
        folder: Where checkpoints, metrics and weights are written.
        report: Called in the main process with whatever is logged.

    Returns:
        The state after the last step.

    Raises:
        TrainingError: A loss or a gradient is not finite.
        WeightsError: The checkpoint is damaged, or of other networks.
        OutputError: A file cannot be written.
    """
    accelerator = make_accelerator(run)
    state = build_state(task.objective, optimizers, run, accelerator)
    if folder.latest.exists():
        load_state(state, folder.latest)
    log = Logbook(folder, run, report, state.step, is_main=accelerator.is_main_process)
    batches = read_batches(task.samples, run, data, state.step, accelerator)
    with stop_signals() as is_asked_to_stop, log:
        if state.step == 0:
            validate(task, state, folder, log, accelerator, is_kept=False)  # where the curves begin
        while state.step < run.steps:
            for name, trained in state.modules.items():
                set_learning_rate(trained, optimizers[name], state.step, run.steps)
            losses = train_step(task.objective, state, batches, run, optimizers, accelerator)
            state.step += 1
            log.add(state.step, losses)
            is_last = state.step == run.steps
            if is_last or state.step % run.validate_every == 0:
                validate(task, state, folder, log, accelerator)
            is_stopping = is_true_in_any(is_asked_to_stop(), accelerator)
            if is_last or is_stopping or state.step % run.checkpoint_every == 0:
                save_state(state, folder.latest, is_main=accelerator.is_main_process)
            if is_stopping:
                raise KeyboardInterrupt
    return state


def build_state(
    objective: Objective, optimizers: dict[str, OptimizerOptions], run: RunOptions, accelerator: "Accelerator"
) -> TrainingState:
    """Put generator and discriminator on the devices, each with an optimizer.

    Args:
        objective: What is trained.
        optimizers: Options of each module's optimizer.
        run: Says the decay of the averages.
        accelerator: Knows the devices.

    Returns:
        The state before the first step.
    """
    modules = {}
    for name, module in {"generator": objective.generator, "discriminator": objective.discriminator}.items():
        if module is None:
            continue
        use_channels_last(module.train())
        options = optimizers[name]
        parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        optimizer = AdamW(
            parameters, lr=options.learning_rate, betas=options.betas, weight_decay=options.weight_decay, fused=True
        )
        modules[name] = TrainedModule(*accelerator.prepare(module, optimizer))
    return TrainingState(modules, average_networks(objective.networks, run.ema_decay))


def read_batches(
    samples: Dataset[Sample], run: RunOptions, data: DataOptions, first: int, accelerator: "Accelerator"
) -> Iterator[Batch]:
    """Read this process's micro-batches, on its device.

    Args:
        samples: The training data.
        run: Batch size, accumulation and number of steps.
        data: Says how many processes read ahead.
        first: The step to begin with.
        accelerator: Knows the device and the other processes.

    Yields:
        Micro-batches, `run.accumulation` for each step, with pictures as 0..1.

    Raises:
        ConfigError: A batch cannot be divided evenly among processes and parts.
    """
    plan = StepBatches(
        first,
        run.steps,
        run.batch_size,
        accumulation=run.accumulation,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
    )
    is_cuda = accelerator.device.type == "cuda"
    loader = DataLoader(
        samples,
        batch_sampler=plan,
        num_workers=data.workers,
        pin_memory=is_cuda,
        multiprocessing_context="spawn" if data.workers else None,
    )
    with leave_interrupts_to_parent():  # those that read ahead: the step still needs their samples
        reading = iter(loader)
    for batch in reading:
        yield {name: to_unit(tensor.to(accelerator.device, non_blocking=is_cuda)) for name, tensor in batch.items()}


def validate(
    task: Task,
    state: TrainingState,
    folder: RunFolder,
    log: Logbook,
    accelerator: "Accelerator",
    *,
    is_kept: bool = True,
) -> None:
    """Measure the averaged networks in the main process and save their weights.

    Args:
        task: Measures the networks.
        state: The averages and the best score so far, which a better one replaces.
        folder: Where weights are saved: always as the last and, with the best score so far, as the best.
        log: Where the measures are logged.
        accelerator: Of the processes, which wait for the main one.
        is_kept: Whether weights are saved.
    """
    if accelerator.is_main_process:
        networks = {name: average.module for name, average in state.averages.items()}
        result = task.validate(networks)
        log.write(state.step, {f"validation/{name}": value for name, value in result.numbers.items()}, result.grid)
        score = next(iter(result.numbers.values()))
        if is_kept:
            _keep_weights(task, state, folder, networks, score)
    accelerator.wait_for_everyone()


def _keep_weights(
    task: Task, state: TrainingState, folder: RunFolder, networks: dict[str, nn.Module], score: float
) -> None:
    kinds = ["last"]
    if math.isfinite(score) and (state.best is None or score < state.best):
        state.best = score
        kinds.append("best")
    for name, network in networks.items():
        for which in kinds:
            metadata = task.metadata[name] | {"steps": str(state.step)}
            config = config_to_dict(network.config)
            save_weights(folder.weights(name, which), network.state_dict(), config=config, metadata=metadata)
