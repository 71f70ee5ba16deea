"""Being asked to stop: the step is finished and a checkpoint written first."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM or Ctrl-C has come since; a second Ctrl-C interrupts at once."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(signal.SIGINT, before[signal.SIGINT])

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave_interrupts_to_parent(worker: int) -> None:
    """For a process that reads ahead: Ctrl-C reaches it, too, but its parent still wants the step's samples."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
