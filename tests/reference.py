"""Reference activations of the released networks: cases in tests/parity, tensors made from their names.

A weight or input is drawn from a generator seeded with its name, so a case stores only what comes out.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

PARITY = Path(__file__).parent / "parity"


def _generator(name: str) -> np.random.RandomState:
    return np.random.RandomState(zlib.crc32(name.encode()))


def normal(name: str, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.asarray(_generator(name).standard_normal(shape), dtype=np.float32))


def uniform(name: str, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.asarray(_generator(name).random_sample(shape), dtype=np.float32))


def blob(name: str, shape: tuple[int, int, int, int]) -> Tensor:
    batch, channels, height, width = shape
    small = uniform(name, (batch, channels, 8, 8))
    return F.interpolate(small, size=(height, width), mode="bilinear", align_corners=False)


def make_tensor(name: str, shape: tuple[int, ...], kind: str) -> Tensor:
    if kind == "zero":
        return torch.zeros(shape, dtype=torch.int64)
    n = normal(name, shape)
    if kind == "weight":
        return n * float(np.float32(1 / np.sqrt(np.prod(shape[1:]))))
    return {"bias": 0.1 * n, "gain": 1 + 0.1 * n, "variance": 1 + 0.1 * n.abs()}[kind]


@dataclass(frozen=True)
class Case:
    """One parity case: its configuration, the released state-dict's rows and the expected arrays."""

    name: str
    config: dict[str, Any]
    rows: list[tuple[str, list[int], str]]
    expected: dict[str, Tensor]

    def state_dict(self, entry: str = "") -> dict[str, Tensor]:
        """The released state-dict without its `computed` rows, or one `entry.` of it, prefix removed."""
        prefix = f"{entry}." if entry else ""
        return {
            key.removeprefix(prefix): make_tensor(
                "/".join(filter(None, (self.name, entry, key.removeprefix(prefix)))), tuple(shape), kind
            )
            for key, shape, kind in self.rows
            if key.startswith(prefix) and kind != "computed"
        }


def load_case(name: str) -> Case:
    meta = json.loads((PARITY / f"{name}.json").read_text())
    with np.load(PARITY / f"{name}.npz") as arrays:
        expected = {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    return Case(meta["name"], meta["config"], meta["state_dict"], expected)


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """Largest absolute difference in units of the expected array's standard deviation."""
    return float((actual - expected).abs().max() / expected.std())
