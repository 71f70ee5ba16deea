"""The `fadm` command: parse, check, call; one file per command."""

import atexit
import sys
from contextlib import suppress
from itertools import pairwise
from typing import NoReturn

from fadm.cli.signals import StopSignals
from fadm.cli.streams import prepare_streams
from fadm.errors import FadmError, OutputError

MISTAKE, INTERRUPTED = 2, 130


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 for success, 2 for a user's mistake, 128 + n for the signal n.

    A mistake and a signal are one line on the error stream. Nothing heavy is imported before signals are caught.

    Args:
        arguments: The arguments; None takes those of the process, which ends with the command.

    Raises:
        SystemExit: Always, with the exit status.
    """
    if arguments is None:
        prepare_streams()
    signals = StopSignals()
    try:
        status = _run(arguments)
    except KeyboardInterrupt:
        signals.finish()
        status = signals.status
        _explain("interrupted")
    finally:
        signals.finish()
        if arguments is None:
            atexit.register(signals.ignore)  # the interpreter's last steps would end by Python's own handling
        else:
            signals.restore()
    with suppress(OutputError):  # it has been explained
        sys.stdout.flush()
    sys.exit(status)


def _run(arguments: list[str] | None) -> int:
    """Run a command and explain a mistake -> the exit status. Raises KeyboardInterrupt for a signal."""
    from typer.exceptions import TyperException

    from fadm.cli.commands import app

    try:
        _refuse_standard_output(sys.argv[1:] if arguments is None else arguments)
        result = app(arguments, standalone_mode=False)  # an interrupt comes back as its exit status
        sys.stdout.flush()
    except (FadmError, TyperException) as error:
        message = error.format_message() if isinstance(error, TyperException) else str(error)
        if message:  # empty where the help was shown instead
            _explain(message)
        return MISTAKE
    if result == INTERRUPTED:
        raise KeyboardInterrupt
    return result if isinstance(result, int) else 0


def _refuse_standard_output(arguments: list[str]) -> None:
    """Refuse `-o -` for every command: results replace whole files, and take their format from the file's name."""
    if {("-o", "-"), ("--output", "-")} & set(pairwise(arguments)) or {"-o-", "--output=-"} & set(arguments):
        raise OutputError("-o -: results cannot be written to standard output; give the name of a file or folder")


def _explain(message: str) -> None:
    sys.stderr.write(f"fadm: {' '.join(message.split())}\n")
