"""The training loop, the same for every kind of network, for one process and for many.

Step k is a function of the recipe, the state before it and k: whatever is random in it comes from the numbers of
its samples (fadm/data/datasets.py). So a run that was killed goes on as if nothing had happened.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, PartialState
from torch import Tensor, nn
from torch.optim import AdamW
from torch.utils.data import DataLoader, Dataset

from fadm.config import config_to_dict
from fadm.data.datasets import Sample, StepBatches
from fadm.data.shards import Pixels
from fadm.device import choose_device, choose_dtype
from fadm.errors import TrainingError
from fadm.training.checkpoint import TrainedModule, TrainingState, average_networks, load_state, save_state
from fadm.training.logbook import Logbook, Progress
from fadm.training.objective import Batch, Objective, to_unit, use_channels_last
from fadm.training.options import DataOptions, OptimizerOptions, RunOptions
from fadm.training.run_folder import RunFolder
from fadm.training.signals import leave_interrupts_to_parent, stop_signals
from fadm.weights.store import save_weights

LONGEST_WAIT = timedelta(days=1)  # of processes for the one that makes pairs


@dataclass(frozen=True)
class Validation:
    """numbers: means over people who were not learned from, the first one (lower is better) chooses the best weights.

    grid: pictures of some of them (H, W, 3).
    """

    numbers: dict[str, float]
    grid: Pixels


@dataclass(frozen=True)
class Task:
    """One kind of training, ready to run.

    validate: judges the networks, by name. metadata: of each network's weights file: kind, what it was trained on,
    terms.
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
    report: Callable[[Progress], None] = lambda progress: None,
) -> TrainingState:
    """Train from the folder's checkpoint, or from the start, to the last step; optimizers: by player.

    SIGTERM and Ctrl-C write a checkpoint first and raise KeyboardInterrupt. Raises TrainingError for a loss that
    is not finite, WeightsError for a checkpoint that does not fit.
    """
    accelerator = make_accelerator(run)
    state = build_state(task.objective, optimizers, run, accelerator)
    if folder.latest.exists():
        load_state(state, folder.latest)
    log = Logbook(folder, run, accelerator, report, state.step)
    batches = read_batches(task.samples, run, data, state.step, accelerator)
    with stop_signals() as asked_to_stop, log:
        if state.step == 0:
            validate(task, state, folder, log, accelerator, is_kept=False)  # where the curves begin
        while state.step < run.steps:
            for name, player in state.players.items():
                set_learning_rate(player, optimizers[name], state.step, run.steps)
            losses = train_step(task.objective, state, batches, run, optimizers, accelerator)
            state.step += 1
            log.add(state.step, losses)
            is_last = state.step == run.steps
            if is_last or state.step % run.validate_every == 0:
                validate(task, state, folder, log, accelerator)
            is_stopping = _any_process(asked_to_stop(), accelerator)
            if is_last or is_stopping or state.step % run.checkpoint_every == 0:
                save_state(state, folder.latest, is_main=accelerator.is_main_process)
            if is_stopping:
                raise KeyboardInterrupt
    return state


def join_processes() -> PartialState:
    """The processes that a launcher has started, each with its GPU or, where there is none, all on the CPU (gloo)."""
    return PartialState(cpu=choose_device().type == "cpu", timeout=LONGEST_WAIT)


def make_accelerator(run: RunOptions) -> Accelerator:
    """Devices, precision and processes as the launcher, or nothing but the machine, says."""
    is_half = choose_dtype(join_processes().device, run.precision) == torch.bfloat16
    parts_may_rest = DistributedDataParallelKwargs(find_unused_parameters=True)  # conditions that are switched off
    return Accelerator(
        mixed_precision="bf16" if is_half else "no",
        gradient_accumulation_steps=run.accumulation,
        kwargs_handlers=[parts_may_rest],
    )


def _any_process(is_so: bool, accelerator: Accelerator) -> bool:
    """Whether it is so in any of the processes: they stop after the same step."""
    if accelerator.num_processes == 1:
        return is_so
    votes = accelerator.reduce(torch.tensor(float(is_so), device=accelerator.device))
    return bool(votes > 0)


def build_state(
    objective: Objective, optimizers: dict[str, OptimizerOptions], run: RunOptions, accelerator: Accelerator
) -> TrainingState:
    """Put the players on the devices and give each its optimizer."""
    modules = {"generator": objective.generator, "discriminator": objective.discriminator}
    players = {}
    for name, module in modules.items():
        if module is None:
            continue
        use_channels_last(module.train())
        options = optimizers[name]
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        optimizer = AdamW(
            trained, lr=options.learning_rate, betas=options.betas, weight_decay=options.weight_decay, fused=True
        )
        players[name] = TrainedModule(*accelerator.prepare(module, optimizer))
    return TrainingState(players, average_networks(objective.networks, run.ema_decay))


def read_batches(
    samples: Dataset[Sample], run: RunOptions, data: DataOptions, first: int, accelerator: Accelerator
) -> Iterator[Batch]:
    """This process' micro-batches from step `first` on, on its device; bytes become 0..1."""
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
        worker_init_fn=leave_interrupts_to_parent,
    )
    for batch in loader:
        yield {name: to_unit(tensor.to(accelerator.device, non_blocking=is_cuda)) for name, tensor in batch.items()}


def train_step(
    objective: Objective,
    state: TrainingState,
    batches: Iterator[Batch],
    run: RunOptions,
    optimizers: dict[str, OptimizerOptions],
    accelerator: Accelerator,
) -> dict[str, float]:
    """One step of each player on the next batch -> mean losses by name."""
    generator, discriminator = state.players["generator"], state.players.get("discriminator")
    sums: dict[str, Tensor] = {}
    for batch in islice(batches, run.accumulation):
        with accelerator.accumulate(*(player.module for player in state.players.values())):
            if objective.discriminator is not None:
                objective.discriminator.requires_grad_(False)
            outcome = generator.module(batch, objective.discriminator)
            losses = dict(outcome.losses)
            _descend(generator, sum_losses(losses), optimizers["generator"], accelerator)
            if discriminator is not None and objective.discriminator is not None:
                objective.discriminator.requires_grad_(True)
                pictures = {name: picture.detach() for name, picture in outcome.pictures.items()}
                judged = discriminator.module(batch, pictures)
                _descend(discriminator, sum_losses(judged), optimizers["discriminator"], accelerator)
                losses |= judged
        for name, loss in losses.items():
            sums[name] = sums.get(name, torch.zeros(())) + loss.detach().float().cpu() / run.accumulation
    for name, average in state.averages.items():
        average.update_parameters(objective.networks[name])
    means: Tensor = accelerator.reduce(torch.stack(list(sums.values())).to(accelerator.device), "mean")
    return dict(zip(sums, means.tolist(), strict=True))


def _descend(player: TrainedModule, loss: Tensor, options: OptimizerOptions, accelerator: Accelerator) -> None:
    _check_finite("loss", loss)
    accelerator.backward(loss)
    if accelerator.sync_gradients:
        largest = math.inf if options.clip_norm is None else options.clip_norm
        norm = accelerator.clip_grad_norm_(player.module.parameters(), largest)
        _check_finite("norm of the gradient", norm)
    player.optimizer.step()
    player.optimizer.zero_grad()


def _check_finite(what: str, value: Tensor) -> None:
    if not torch.isfinite(value):
        raise TrainingError(
            f"the {what} is {value.item()}: training has diverged; lower optimizer.learning_rate or set clip_norm, and "
            "start in another folder, with run.start = these weights to keep what was learned"
        )


def sum_losses(losses: dict[str, Tensor]) -> Tensor:
    """What is minimised: the sum of the weighted losses."""
    return torch.stack([loss.float() for loss in losses.values()]).sum()


def set_learning_rate(player: TrainedModule, options: OptimizerOptions, step: int, steps: int) -> None:
    """Warm-up and cosine, as a function of the step alone."""
    rate = options.learning_rate * min(1.0, (step + 1) / max(1, options.warmup_steps))
    if options.decay == "cosine":
        share = 0.5 * (1 + math.cos(math.pi * step / steps))
        rate *= options.final_share + (1 - options.final_share) * share
    for group in player.optimizer.param_groups:
        group["lr"] = rate


def validate(
    task: Task, state: TrainingState, folder: RunFolder, log: Logbook, accelerator: Accelerator, *, is_kept: bool = True
) -> None:
    """Judge the averaged networks; if asked to, keep their weights as the last and, if they are, as the best."""
    if accelerator.is_main_process:
        networks = {name: average.module for name, average in state.averages.items()}
        judged = task.validate(networks)
        log.write(state.step, {f"validation/{name}": value for name, value in judged.numbers.items()}, judged.grid)
        score = next(iter(judged.numbers.values()))
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
