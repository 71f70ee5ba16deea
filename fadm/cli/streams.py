"""The standard streams of the process, of which any may be closed, full or read by nobody any more."""

import errno
import io
import os
import sys
import warnings

from fadm.errors import OutputError

OUTPUT, ERROR = 1, 2  # the streams' descriptors


class _StandardStream(io.TextIOWrapper):
    """Takes what is written, and drops it once its reader is gone: the work goes on, and its status counts.

    Characters that the encoding lacks are written as their numbers.

    Raises:
        OutputError: Standard output cannot be written for another reason, such as a full disk. The rest is dropped.
    """

    def __init__(self, descriptor: int, encoding: str | None) -> None:
        buffer = io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False))
        is_terminal = os.isatty(descriptor)
        is_by_line = is_terminal or descriptor == ERROR
        super().__init__(buffer, encoding=encoding, errors="backslashreplace", line_buffering=is_by_line)
        self._gone = {errno.EPIPE, *([errno.EIO] if is_terminal else [])}  # a closed terminal is a failed device

    def write(self, text: str) -> int:
        """Write as any stream does."""
        try:
            return super().write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        """Flush as any stream does."""
        try:
            super().flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        """Direct to nowhere what is buffered and what comes."""
        descriptor = self.fileno()
        _open_nowhere(descriptor)
        if descriptor == OUTPUT and error.errno not in self._gone:  # no stream is left to complain of the other
            reason = f"standard output cannot be written: {error.strerror}; direct it to another place"
            raise OutputError(reason) from error


def prepare_streams() -> None:
    """Make output and error stream of this process writable whatever they are, and silence libraries' warnings."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # else a file would get that number, and with it what libraries write there
            _open_nowhere(descriptor)
    sys.stdout = _StandardStream(OUTPUT, getattr(sys.stdout, "encoding", None))
    sys.stderr = _StandardStream(ERROR, getattr(sys.stderr, "encoding", None))
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def _open_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere == descriptor:
        os.set_inheritable(descriptor, True)
    else:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
