"""The folder of a run: its recipe, metrics, sample grids, checkpoints and weights."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fadm.config import config_to_dict, read_config, write_config
from fadm.data.shards import Pixels
from fadm.errors import ConfigError, OutputError
from fadm.files import explain_failure, replace_file

WITHOUT_EFFECT = {"data.workers", "data.cache", "run.log_every", "run.checkpoint_every"}  # on what is learned


@dataclass(frozen=True)
class RunFolder:
    """recipe.json, metrics.jsonl, tensorboard/, samples/, latest.safetensors (resumes), best and last weights."""

    path: Path

    @property
    def latest(self) -> Path:
        """The checkpoint from which the run goes on."""
        return self.path / "latest.safetensors"

    def weights(self, name: str, which: str) -> Path:
        """Where the averaged weights of a network are kept; which: `best` or `last`."""
        return self.path / f"{name}-{which}.safetensors"

    def open(self, recipe: Any) -> None:
        """Make the folder, or check that its run had the same recipe. Raises ConfigError, OutputError."""
        place = self.path / "recipe.json"
        given = _plain(recipe)
        if place.exists():
            before = _plain(read_config(type(recipe), place))  # with the defaults of keys that came later
            keys = sorted({*_flat(before), *_flat(given)} - WITHOUT_EFFECT)
            different = [key for key in keys if _differ(before, given, key)]
            if different and self.latest.exists():
                key = different[0]
                raise ConfigError(
                    f"{self.path} holds a run with {key} = {_flat(before).get(key)!r}, now {_flat(given).get(key)!r}; "
                    "give the same recipe to go on, or another folder to start anew"
                )
            write_config(recipe, place)
            return
        if self.path.is_dir() and any(self.path.iterdir()):
            raise OutputError(f"{self.path} is not empty and holds no run; give another folder")
        with explain_failure(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        write_config(recipe, place)  # before all else: a folder that holds other things and no recipe is refused
        (self.path / "samples").mkdir(exist_ok=True)

    def rewind_metrics(self, step: int) -> None:
        """Forget what was logged after the checkpoint's step, and all of it without one (0): it is computed again."""
        place = self.path / "metrics.jsonl"
        if place.exists():
            lines = place.read_text().splitlines() if step else []
            kept = "".join(f"{line}\n" for line in lines if 0 <= _step_of(line) <= step)
            with replace_file(place) as temporary:
                temporary.write_text(kept)

    def log(self, step: int, numbers: dict[str, float]) -> None:
        """Append a line of metrics."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step} | numbers) + "\n")

    def save_grid(self, step: int, grid: Pixels) -> None:
        """Write a sheet of validation pictures (H, W, 3)."""
        folder = self.path / "samples"
        folder.mkdir(exist_ok=True)
        Image.fromarray(np.ascontiguousarray(grid)).save(folder / f"{step:07d}.png")


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The lines of a metrics.jsonl; a last line that was cut off is left out."""
    return [json.loads(line) for line in path.read_text().splitlines() if _step_of(line) >= 0]


def _step_of(line: str) -> int:
    """-1 for a line that a kill cut off."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return -1


def _plain(recipe: Any) -> dict[str, Any]:
    """A recipe as JSON knows it: lists for tuples."""
    values: dict[str, Any] = json.loads(json.dumps(config_to_dict(recipe)))
    return values


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _differ(before: dict[str, Any], given: dict[str, Any], key: str) -> bool:
    missing = object()
    return _flat(before).get(key, missing) != _flat(given).get(key, missing)
