"""FrameFeatures-alikes of the released files: packed as theirs, filled with the reference cases' tensors."""

import pickle
import sys
import types
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from tests.reference import Case, load_case, make_tensor


def nested_entries(case: Case, seed: str = "{name}/{entry}/{key}") -> dict[str, dict[str, Tensor]]:
    """The case's tensors as a checkpoint's entries; tensors that constructors compute are zero."""
    entries: dict[str, dict[str, Tensor]] = {}
    for full_key, shape, kind in case.rows:
        entry, _, key = full_key.partition(".")
        text = seed.format(name=case.name, entry=entry, key=key)
        tensor = torch.zeros(shape) if kind == "computed" else make_tensor(text, tuple(shape), kind)
        entries.setdefault(entry, {})[key] = tensor
    return entries


def optimizer_state() -> dict[str, Any]:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([weight])
    weight.sum().backward()
    optimizer.step()
    return optimizer.state_dict()


def write_deca_checkpoint(path: Path, *, is_legacy: bool = False) -> None:
    """As deca_model.tar: the reference coarse encoder, a zero detail encoder and decoder, an optimizer."""
    entries = nested_entries(load_case("deca_encoder"), seed="{name}/{key}")
    detail_encoder = {key: torch.zeros_like(tensor) for key, tensor in entries["E_flame"].items()}
    detail_encoder["layers.2.weight"], detail_encoder["layers.2.bias"] = torch.zeros(128, 1024), torch.zeros(128)
    channels = (128, 128, 64, 64, 32, 16)
    decoder = {"l1.0.weight": torch.zeros(8192, 181), "l1.0.bias": torch.zeros(8192)}
    decoder |= _batch_norm("conv_blocks.0", 128)
    for number, (before, after) in enumerate(pairwise(channels)):
        decoder |= _convolution(f"conv_blocks.{5 * number + 2}", before, after)
        decoder |= _batch_norm(f"conv_blocks.{5 * number + 3}", after)
    decoder |= _convolution("conv_blocks.21", 16, 1)
    checkpoint = {**entries, "E_detail": detail_encoder, "D_detail": decoder, "opt": optimizer_state()}
    torch.save(checkpoint, path, _use_new_zipfile_serialization=not is_legacy)


def _convolution(name: str, before: int, after: int) -> dict[str, Tensor]:
    return {f"{name}.weight": torch.zeros(after, before, 3, 3), f"{name}.bias": torch.zeros(after)}


def _batch_norm(name: str, channels: int) -> dict[str, Tensor]:
    parts = ("weight", "bias", "running_mean", "running_var")
    counter = {f"{name}.num_batches_tracked": torch.tensor(0)}
    return {f"{name}.{part}": torch.zeros(channels) for part in parts} | counter


def flame_table() -> dict[str, Any]:
    arrays = {key: value.numpy() for key, value in load_case("flame_made_up").expected.items()}
    return {key.removeprefix("model_"): value for key, value in arrays.items() if key.startswith("model_")}


def write_flame_pickle(path: Path, table: dict[str, Any], *, protocol: int = 2) -> None:
    """As the released file: one array inside a chumpy object, the regressor sparse, names as of Python 2."""
    chumpy, chumpy_ch = types.ModuleType("chumpy"), types.ModuleType("chumpy.ch")
    array_class = type("Ch", (), {"__module__": "chumpy.ch"})
    chumpy_ch.Ch = array_class
    shapedirs = array_class()
    shapedirs.__dict__.update(x=table["shapedirs"], _dirty_vars={"x"}, _itr=None)
    packed = {
        **table,
        "shapedirs": shapedirs,
        "J_regressor": scipy.sparse.csc_matrix(table["J_regressor"]),
        "J": np.zeros((5, 3)),
        "f": table["f"].astype(np.uint32),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }
    sys.modules.update({"chumpy": chumpy, "chumpy.ch": chumpy_ch})
    try:
        path.write_bytes(pickle.dumps(packed, protocol))
    finally:
        del sys.modules["chumpy"], sys.modules["chumpy.ch"]


def write_landmark_embedding(path: Path) -> None:
    """As the released file: a dict in an array of one object, its dynamic part as torch tensors."""
    expected = load_case("flame_made_up").expected
    embedding = {
        key.removeprefix("embedding_"): value if "dynamic" in key else value.numpy()
        for key, value in expected.items()
        if key.startswith("embedding_")
    }
    np.save(path, embedding, allow_pickle=True)
