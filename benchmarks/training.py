"""Samples per second of a training recipe on this machine, and what of the time is lost to waiting for data.

python -m benchmarks.training [RECIPE] [--data SHARD… --validation SHARD…] [--steps N] [--rounds N]

Without shards the data are synthetic faces, a few pairs of each. Every row takes the loop's own steps: precisions and
numbers of reading processes in turn, round after round, since a machine's speed changes from minute to minute; a row is
the median of its rounds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from fadm.config import read_table
from fadm.device import autocast, choose_device, choose_dtype
from fadm.training.loop import Task, build_state, read_batches
from fadm.training.objective import Batch
from fadm.training.options import OptimizerOptions
from fadm.training.processes import make_accelerator
from fadm.training.recipes import FaceVid2VidRecipe, FOMMRecipe, RendererRecipe, read_recipe
from fadm.training.run import plan_stages
from fadm.training.step import train_step

DEFAULT = Path(__file__).parents[1] / "configs" / "renderer_small.toml"
FEW_PAIRS = ("sources_per_clip=1", "drivings_per_source=2", "mirrored=false")
WORKERS = (0, 1, 2)
WARM_UP = 2  # steps that do not count: workers start, kernels are chosen

Recipe = RendererRecipe | FOMMRecipe | FaceVid2VidRecipe


@dataclass
class Row:
    """One way to train: seconds of the steps and of waiting for their batches, round by round."""

    precision: str
    workers: int
    totals: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)


def read(path: Path, data: list[str], validation: list[str], cache: str) -> Recipe:
    kind = str(read_table(path).get("kind", "renderer"))
    changes = [f"data.shards={data}", f"data.validation={validation}", f"data.cache={cache}", "run.precision=float32"]
    if kind == "renderer":
        changes += [f"coarse.pairs.{change}" for change in FEW_PAIRS] + ["coarse.validation_pairs_per_clip=1"]
    recipe = read_recipe(kind, path, changes)
    assert isinstance(recipe, Recipe), f"{path} is of kind {kind}; give one of renderer, fomm or face_vid2vid"
    return recipe


def build_task(recipe: Recipe) -> Task:
    (stage,) = plan_stages(recipe, Path())
    return stage.build_task(lambda what, done, total: None)


def note_waiting(batches: Iterator[Batch], waits: list[float]) -> Iterator[Batch]:
    """Pass batches on, and append to `waits` the seconds that each was waited for."""
    while True:
        start = time.perf_counter()
        batch = next(batches)
        waits.append(time.perf_counter() - start)
        yield batch


def measure(task: Task, recipe: Recipe, rows: list[Row], steps: int, rounds: int) -> None:
    """Fill the rows, each with a value a round."""
    optimizers = {"generator": OptimizerOptions(), "discriminator": OptimizerOptions()}
    accelerator = make_accelerator(recipe.run)
    state = build_state(task.objective, optimizers, recipe.run, accelerator)
    device, last = accelerator.device, WARM_UP + steps
    for number in range(rounds * len(rows)):
        row = rows[number % len(rows)]
        data = replace(recipe.data, workers=row.workers)
        run = replace(recipe.run, steps=last * (number + 1))
        waits: list[float] = []
        batches = note_waiting(read_batches(task.samples, run, data, last * number, accelerator), waits)
        with autocast(device, choose_dtype(device, row.precision)):
            for _ in range(WARM_UP):
                train_step(task.objective, state, batches, run, optimizers, accelerator)
            waits.clear()
            start = time.perf_counter()
            for _ in range(steps):
                train_step(task.objective, state, batches, run, optimizers, accelerator)
            row.totals.append(time.perf_counter() - start)
        row.waits.append(sum(waits))


def show(rows: list[Row], samples: int) -> None:
    """A Markdown table, speeds also as multiples of the first row's."""
    print("| precision | reading processes | samples/s | beside the first row | waiting for data |")
    print("|---|---|---|---|---|")
    first = statistics.median(rows[0].totals)
    for row in rows:
        total = statistics.median(row.totals)
        share = statistics.median(wait / whole for wait, whole in zip(row.waits, row.totals, strict=True))
        print(
            f"| {row.precision} | {row.workers} | {samples / total:.1f} | {first / total:.2f} | {100 * share:.0f} % |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--data", nargs="+", default=[])
    parser.add_argument("--validation", nargs="+", default=[])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    fastest = "bfloat16" if choose_dtype(choose_device()) == torch.bfloat16 else "float32"
    rows = [Row(precision, 0) for precision in dict.fromkeys(("float32", fastest))]
    rows += [Row(fastest, workers) for workers in WORKERS if workers]
    with tempfile.TemporaryDirectory() as cache:
        recipe = read(given.recipe, given.data, given.validation, cache)
        task = build_task(recipe)
        measure(task, recipe, rows, given.steps, given.rounds)
    print(
        f"{given.recipe.name}, {recipe.data.size} pixels, batches of {recipe.run.batch_size}, channels last, "
        f"{choose_device()}, {torch.get_num_threads()} threads\n"
    )
    show(rows, given.steps * recipe.run.batch_size)


if __name__ == "__main__":
    main()
