"""The record of a run: metrics.jsonl, TensorBoard, sheets of validation pictures, and a callback."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from fadm.data.shards import Pixels
from fadm.training.options import RunOptions
from fadm.training.run_folder import RunFolder


@dataclass(frozen=True)
class StepReport:
    """The numbers that a run logs at one step.

    Attributes:
        step: Steps done.
        steps: Steps of the whole run.
        numbers: Mean weighted losses since the last report and samples per second, or a validation's measures
            (`validation/l1`), by name.
    """

    step: int
    steps: int
    numbers: dict[str, float]


class Logbook:
    """Writes mean losses and validations to metrics.jsonl, TensorBoard and a callback; a context manager."""

    def __init__(
        self, folder: RunFolder, run: RunOptions, report: Callable[[StepReport], None], step: int, *, is_main: bool
    ) -> None:
        """Prepare to log; nothing is written yet.

        Args:
            folder: The run's folder.
            run: Says how often losses are logged.
            report: Called with each report.
            step: Steps that are done already; metrics logged after them are removed.
            is_main: Whether this is the main process, the only one that writes and reports.
        """
        self.folder, self.run, self.report, self.step, self.is_main = folder, run, report, step, is_main
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
        """Collect a step's losses; every `log_every` steps, and at the last one, log their means.

        Args:
            step: Steps done, this one included.
            losses: The step's losses by name.
        """
        for name, loss in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + loss
        self.count += 1
        if step % self.run.log_every == 0 or step == self.run.steps:
            rate = self.count * self.run.batch_size / (time.perf_counter() - self.since)
            means = {name: total / self.count for name, total in self.sums.items()}
            self.write(step, means | {"samples_per_second": rate})
            self.sums, self.count, self.since = {}, 0, time.perf_counter()

    def write(self, step: int, numbers: dict[str, float], grid: Pixels | None = None) -> None:
        """Log numbers at once.

        Args:
            step: Steps done.
            numbers: Losses or measures by name.
            grid: A sheet of validation pictures (H, W, 3) to save beside them.
        """
        if not self.is_main:
            return
        self.folder.log(step, numbers)
        for name, number in numbers.items():
            self.writer.add_scalar(name, number, step)
        if grid is not None:
            self.folder.save_grid(step, grid)
        self.report(StepReport(step, self.run.steps, numbers))
