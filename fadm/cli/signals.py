"""Ctrl-C, SIGTERM and SIGHUP end a command alike: what it was writing is removed first."""

import os
import signal
import threading
import time
from types import FrameType

NUMBERS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
PATIENCE = 2.0  # seconds after a signal in which others are taken for its repetitions, while the command clears up


class StopSignals:
    """Raises KeyboardInterrupt for a signal that ends the command, and for none that comes while it clears up.

    Signals that the process was started to ignore, as by nohup, stay ignored; other threads than the main one get none.
    """

    def __init__(self) -> None:
        self._number, self._last, self._is_finished = signal.SIGINT, -PATIENCE, False
        is_main = threading.current_thread() is threading.main_thread()
        before = {number: signal.getsignal(number) for number in NUMBERS} if is_main else {}
        self._before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
        for number in self._before:
            signal.signal(number, self._receive)

    @property
    def status(self) -> int:
        """Exit status of a command that the signal ended."""
        return 128 + self._number

    def finish(self) -> None:
        """Note that the command is finished: a signal is ignored now, and later ends a process that still hangs."""
        self._last, self._is_finished = time.monotonic(), True

    def restore(self) -> None:
        """Handle signals as before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def ignore(self) -> None:
        """Ignore signals from now on."""
        for number in self._before:
            signal.signal(number, signal.SIG_IGN)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last < PATIENCE:
            return
        self._number, self._last = signal.Signals(number), now
        if self._is_finished:
            os._exit(self.status)
        raise KeyboardInterrupt
