"""Bars with speed and remaining time on the error stream."""

import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s")


class BarProgress:
    """Shows a bar for each stage on the error stream."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description:>9}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Speed(),
            TimeRemainingColumn(),
        )
        # What is printed meanwhile appears above the bars where both streams are the terminal.
        self._bars = Bars(*columns, console=Console(stderr=True), redirect_stdout=sys.stdout.isatty())
        self._task: TaskID | None = None
        self._done = 0

    def stage(self, name: str, total: int | None) -> None:
        """See `Progress`."""
        self._close_task()
        self._bars.start()
        self._task, self._done = self._bars.add_task(name, total=total), 0

    def advance(self) -> None:
        """See `Progress`."""
        assert self._task is not None
        self._done += 1
        self._bars.advance(self._task)

    def finish(self, report: Mapping[str, Any], sentence: str) -> None:
        """See `CommandProgress`."""
        self._close_task()
        self._bars.console.print(sentence, soft_wrap=True, markup=False, highlight=False)

    def stop(self, *, erase: bool = False) -> None:
        """Stop drawing.

        Args:
            erase: Whether to erase the bars, before an error message.
        """
        self._bars.live.transient = erase
        self._bars.live.stop()

    def _close_task(self) -> None:
        """Replace the estimated number of frames by the number of finished ones."""
        if self._task is not None:
            self._bars.update(self._task, total=self._done)
