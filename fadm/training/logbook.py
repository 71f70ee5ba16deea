"""What a run tells while it goes on: metrics.jsonl, TensorBoard, sample grids, and whoever watches."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from accelerate import Accelerator

from fadm.data.shards import Pixels
from fadm.training.options import RunOptions
from fadm.training.run_folder import RunFolder


@dataclass(frozen=True)
class Progress:
    """What a reporter is told: step of steps, mean losses since it was told before, samples per second."""

    step: int
    steps: int
    numbers: dict[str, float]


class Logbook:
    """Means of the losses to metrics.jsonl, TensorBoard and a reporter, by the main process alone."""

    def __init__(
        self,
        folder: RunFolder,
        run: RunOptions,
        accelerator: Accelerator,
        report: Callable[[Progress], None],
        step: int,
    ) -> None:
        self.folder, self.run, self.report, self.is_main = folder, run, report, accelerator.is_main_process
        self.step = step
        self.sums: dict[str, float] = {}
        self.count, self.since = 0, time.perf_counter()
        self.writer: Any = None

    def __enter__(self) -> Self:
        if self.is_main:
            from torch.utils.tensorboard import SummaryWriter

            self.folder.rewind_metrics(self.step)
            self.writer = SummaryWriter(str(self.folder.path / "tensorboard"), purge_step=self.step and self.step + 1)
        return self

    def __exit__(self, *_: object) -> None:
        if self.writer is not None:
            self.writer.close()

    def add(self, step: int, losses: dict[str, float]) -> None:
        """Remember a step's losses; every log_every steps write their means."""
        for name, loss in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + loss
        self.count += 1
        if step % self.run.log_every == 0 or step == self.run.steps:
            rate = self.count * self.run.batch_size / (time.perf_counter() - self.since)
            means = {name: total / self.count for name, total in self.sums.items()}
            self.write(step, means | {"samples_per_second": rate})
            self.sums, self.count, self.since = {}, 0, time.perf_counter()

    def write(self, step: int, numbers: dict[str, float], grid: Pixels | None = None) -> None:
        """Write numbers and, if there is one, a grid of pictures."""
        if not self.is_main:
            return
        self.folder.log(step, numbers)
        for name, number in numbers.items():
            self.writer.add_scalar(name, number, step)
        if grid is not None:
            self.folder.save_grid(step, grid)
        self.report(Progress(step, self.run.steps, numbers))
