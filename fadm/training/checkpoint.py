"""Checkpoints: networks, their averages, optimizers and the step, written whole and read back bit by bit."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fadm.errors import OutputError, WeightsError
from fadm.files import replace_file

# The same tensors however many devices hold them: in the main process alone, or in each.
WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
WHOLE_EVERYWHERE = StateDictOptions(full_state_dict=True)


@dataclass
class TrainedModule:
    """A module that is trained, as the devices hold it, and its optimizer.

    Attributes:
        module: The generator or the discriminator, wrapped for the devices.
        optimizer: Updates the module's parameters.
    """

    module: nn.Module
    optimizer: Optimizer


@dataclass
class TrainingState:
    """All that changes during a run.

    Attributes:
        modules: `generator` and, where there is one, `discriminator`.
        averages: Exponential moving average of each network that is saved, by its name.
        step: Steps done.
        best: The best validation score so far (lower is better); None before the first one.
    """

    modules: dict[str, TrainedModule]
    averages: dict[str, AveragedModel]
    step: int = 0
    best: float | None = None


def average_networks(networks: dict[str, nn.Module], decay: float) -> dict[str, AveragedModel]:
    """Begin an exponential moving average of each network's parameters; buffers are copied as they are.

    Args:
        networks: The networks by name.
        decay: Share of the average that an update keeps, from 0 (a copy of the network) to below 1.

    Returns:
        The averages by the same names, frozen and in evaluation mode.
    """
    averages = {}
    for name, network in networks.items():
        average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=False)
        averages[name] = average.requires_grad_(False).eval()
    return averages


def save_state(state: TrainingState, path: Path, *, is_main: bool = True) -> None:
    """Write a checkpoint; a crash at any moment leaves the checkpoint before it.

    The file is written beside its place, forced to the disk and renamed.

    Args:
        state: What is saved.
        path: The checkpoint, .safetensors.
        is_main: Whether this process writes; all processes must call this, since all of them gather tensors.

    Raises:
        OutputError: The file cannot be written.
    """
    tensors: dict[str, Any] = {}
    for name, trained in state.modules.items():
        weights = get_model_state_dict(trained.module, options=WHOLE)
        tensors |= {f"{name}.module.{key}": tensor for key, tensor in weights.items()}
        moments: Any = get_optimizer_state_dict(trained.module, trained.optimizer, options=WHOLE).get("state", {})
        for parameter, slots in moments.items():
            tensors |= {f"{name}.optimizer.{parameter}.{slot}": tensor for slot, tensor in slots.items()}
    for name, average in state.averages.items():
        weights = get_model_state_dict(average, options=WHOLE)
        tensors |= {f"average.{name}.{key}": tensor for key, tensor in weights.items()}
    if not is_main:
        return
    header = {"step": str(state.step), "best": json.dumps(state.best)}
    own = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
    try:
        with replace_file(path) as temporary:
            save_file(own, temporary, metadata=header)
            _force_to_disk(temporary)
    except (OSError, SafetensorError) as error:
        raise OutputError(f"cannot write the checkpoint {path}: {error}; make space and start again") from error


def load_state(state: TrainingState, path: Path) -> None:
    """Restore a state from a checkpoint.

    Args:
        state: A new state of the same networks and optimizers, changed in place.
        path: The checkpoint.

    Raises:
        WeightsError: The file is damaged, or of other networks.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 it is no dict
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} is no readable checkpoint ({error}); start in another folder") from error
    with _explain_mismatch(path):
        state.step, state.best = int(header["step"]), json.loads(header["best"])
        for name, trained in state.modules.items():
            set_model_state_dict(trained.module, _below(tensors, f"{name}.module."), options=WHOLE)
            _load_optimizer(trained, _below(tensors, f"{name}.optimizer."))
        for name, average in state.averages.items():
            set_model_state_dict(average, _below(tensors, f"average.{name}."), options=WHOLE)


def _load_optimizer(trained: TrainedModule, tensors: dict[str, Tensor]) -> None:
    """Restore an optimizer's moments, named PARAMETER.SLOT in a checkpoint."""
    current: Any = get_optimizer_state_dict(trained.module, trained.optimizer, options=WHOLE_EVERYWHERE)
    slots: dict[str, Any] = {}
    for key, tensor in tensors.items():
        parameter, _, slot = key.rpartition(".")
        slots.setdefault(parameter, {})[slot] = tensor
    restored = {"state": current["state"] | slots, "param_groups": current["param_groups"]}
    set_optimizer_state_dict(trained.module, trained.optimizer, restored, options=WHOLE)
    _forget_unused(trained.optimizer, current["param_groups"], slots)
    _lay_out_like_parameters(trained.optimizer)


def _forget_unused(optimizer: Optimizer, groups: list[dict[str, Any]], slots: dict[str, Any]) -> None:
    """Remove the moments of parameters that never had a gradient, those of parts that are switched off."""
    for names, group in zip(groups, optimizer.param_groups, strict=True):
        for name, parameter in zip(names["params"], group["params"], strict=True):
            if name not in slots:
                optimizer.state.pop(parameter, None)


def _lay_out_like_parameters(optimizer: Optimizer) -> None:
    """Give the moments the memory layout that they had: another one is rounded differently."""
    for parameter, slots in optimizer.state.items():
        for slot, tensor in slots.items():
            if tensor.shape == parameter.shape:
                slots[slot] = torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


@contextmanager
def _explain_mismatch(path: Path) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path} is of another network ({reason}); start in another folder") from error


def _force_to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
