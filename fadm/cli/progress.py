"""Display of progress: a bar with speed and remaining time, a line for each stage, JSON lines, or nothing."""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

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
        as_json: Write JSON lines to standard output instead of showing bars, or lines where there is no terminal.

    Yields:
        The progress to report to.
    """
    if quiet:
        yield SilentProgress()
    elif as_json:
        yield JsonProgress()
    elif not _is_on_terminal():
        yield LineProgress()
    else:
        from fadm.cli.progress_bar import BarProgress  # rich's bars take a while to load, which no help needs

        progress = BarProgress()
        try:
            yield progress
        except BaseException:
            progress.stop(erase=True)
            raise
        progress.stop()


class SilentProgress:
    """Shows nothing."""

    def stage(self, name: str, total: int | None) -> None:
        """See `Progress`."""

    def advance(self) -> None:
        """See `Progress`."""

    def finish(self, report: Mapping[str, Any], sentence: str) -> None:
        """See `CommandProgress`."""


class LineProgress:
    """Writes a line for each finished stage to the error stream, as for a log."""

    def __init__(self) -> None:
        self._stage, self._done, self._began = "", 0, 0.0

    def stage(self, name: str, total: int | None) -> None:
        """See `Progress`."""
        self._end_stage()
        self._stage, self._done, self._began = name, 0, time.monotonic()

    def advance(self) -> None:
        """See `Progress`."""
        self._done += 1

    def finish(self, report: Mapping[str, Any], sentence: str) -> None:
        """See `CommandProgress`."""
        self._end_stage()
        sys.stderr.write(f"{sentence}\n")

    def _end_stage(self) -> None:
        if self._stage:
            sys.stderr.write(f"{self._stage}: {self._done} in {time.monotonic() - self._began:.1f} s\n")


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


def _is_on_terminal() -> bool:
    """Whether the error stream is a terminal on which lines can be drawn anew."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
