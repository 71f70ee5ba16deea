"""Display of progress: a bar with speed and remaining time, JSON lines, or nothing."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from fadm.progress import Progress

REPORT_EVERY = 0.5  # seconds between JSON lines


class CommandProgress(Progress, Protocol):
    """Progress of a command, with a report at its end."""

    def finish(self, report: Mapping[str, Any], sentence: str) -> None:
        """Show the result of the command.

        Args:
            report: The result as data.
            sentence: The result in words.
        """


@contextmanager
def show_progress(quiet: bool, as_json: bool) -> Iterator[CommandProgress]:
    """Choose the display of progress.

    Args:
        quiet: Show nothing.
        as_json: Write JSON lines to standard output instead of showing a bar.

    Yields:
        The progress to report to.
    """
    if quiet:
        yield SilentProgress()
    elif as_json:
        yield JsonProgress()
    else:
        progress = BarProgress()
        try:
            yield progress
        except BaseException:
            progress.stop(erase=True)
            raise
        progress.stop()


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s")


class SilentProgress:
    """Shows nothing."""

    def stage(self, name: str, total: int | None) -> None:
        """See `Progress`."""

    def advance(self) -> None:
        """See `Progress`."""

    def finish(self, report: Mapping[str, Any], sentence: str) -> None:
        """See `CommandProgress`."""


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
        self._bars = Bars(*columns, console=Console(stderr=True))
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


class JsonProgress:
    """Writes JSON lines to standard output: {"stage": ..., "done": ..., "total": ...}, then the report."""

    def __init__(self) -> None:
        self._stage, self._done = "", 0
        self._total: int | None = None
        self._reported = 0.0

    def stage(self, name: str, total: int | None) -> None:
        """See `Progress`."""
        self._stage, self._total, self._done = name, total, 0
        self._report()

    def advance(self) -> None:
        """See `Progress`."""
        self._done += 1
        if self._done == self._total or time.monotonic() - self._reported > REPORT_EVERY:
            self._report()

    def finish(self, report: Mapping[str, Any], sentence: str) -> None:
        """See `CommandProgress`."""
        _write_line(report)

    def _report(self) -> None:
        self._reported = time.monotonic()
        _write_line({"stage": self._stage, "done": self._done, "total": self._total})


def _write_line(content: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()
