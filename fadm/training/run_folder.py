"""The folder of a run: its recipe, metrics, sheets of validation pictures, checkpoint and weights."""

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

WITHOUT_EFFECT = {"data.workers", "data.cache", "run.log_every", "run.checkpoint_every"}  # on the trained weights


@dataclass(frozen=True)
class RunFolder:
    """A folder with recipe.json, metrics.jsonl, tensorboard/, samples/, a checkpoint, and best and last weights.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def latest(self) -> Path:
        """The checkpoint from which the run resumes."""
        return self.path / "latest.safetensors"

    def weights(self, name: str, which: str) -> Path:
        """Name the file of a network's averaged weights.

        Args:
            name: The network, as in `Objective.networks`.
            which: `best` or `last`.

        Returns:
            The place of the weights file.
        """
        return self.path / f"{name}-{which}.safetensors"

    def open(self, recipe: Any) -> None:
        """Make the folder, or check that its run has the same recipe.

        Args:
            recipe: The recipe of the run; it is written to recipe.json.

        Raises:
            ConfigError: The folder holds a checkpoint of another recipe.
            OutputError: The folder holds other files, or cannot be written.
        """
        place = self.path / "recipe.json"
        if place.exists():
            before = read_config(type(recipe), place)  # keys that came later have their defaults
            if self.latest.exists():
                self._check_same(before, recipe)
            write_config(recipe, place)
            return
        if self.path.is_dir() and any(self.path.iterdir()):
            raise OutputError(f"{self.path} is not empty and holds no run; give another folder")
        with explain_failure(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        write_config(recipe, place)  # before all else: a folder that holds other things and no recipe is refused
        (self.path / "samples").mkdir(exist_ok=True)

    def _check_same(self, before: Any, now: Any) -> None:
        """Raise ConfigError for the first key with an effect on the weights that differs between two recipes."""
        old, new = _flatten(_as_json(before)), _flatten(_as_json(now))
        missing = object()
        for key in sorted({*old, *new} - WITHOUT_EFFECT):
            if old.get(key, missing) != new.get(key, missing):
                raise ConfigError(
                    f"{self.path} holds a run with {key} = {old.get(key)!r}, now {new.get(key)!r}; "
                    "give the same recipe to resume it, or another folder to start from scratch"
                )

    def rewind_metrics(self, step: int) -> None:
        """Remove the metrics that were logged after the checkpoint's step; they are computed again.

        Args:
            step: Steps that the checkpoint holds; 0, without a checkpoint, removes all metrics.
        """
        place = self.path / "metrics.jsonl"
        if place.exists():
            lines = place.read_text().splitlines() if step else []
            kept = "".join(f"{line}\n" for line in lines if 0 <= _step_of(line) <= step)
            with replace_file(place) as temporary:
                temporary.write_text(kept)

    def log(self, step: int, numbers: dict[str, float]) -> None:
        """Append a line to metrics.jsonl.

        Args:
            step: Steps done.
            numbers: Losses or measures by name.
        """
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step} | numbers) + "\n")

    def save_grid(self, step: int, grid: Pixels) -> None:
        """Write a sheet of validation pictures to samples/.

        Args:
            step: Steps done, which name the file.
            grid: The sheet (H, W, 3), uint8.
        """
        folder = self.path / "samples"
        folder.mkdir(exist_ok=True)
        Image.fromarray(np.ascontiguousarray(grid)).save(folder / f"{step:07d}.png")


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Read a metrics.jsonl; a last line that was cut off is left out.

    Args:
        path: The file.

    Returns:
        One dict for each line: `step`, and losses or measures by name.
    """
    return [json.loads(line) for line in path.read_text().splitlines() if _step_of(line) >= 0]


def _step_of(line: str) -> int:
    """Return the step of a line of metrics, -1 for a line that a kill cut off."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return -1


def _as_json(recipe: Any) -> dict[str, Any]:
    """Convert a recipe to the values that JSON knows: lists for tuples."""
    values: dict[str, Any] = json.loads(json.dumps(config_to_dict(recipe)))
    return values


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
