"""Processes that work for this one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def leave_interrupts_to_parent() -> Iterator[None]:
    """Start processes that ignore Ctrl-C from their first moment, while they still import; the parent ends them.

    The parent itself ignores Ctrl-C in this block.

    Yields:
        Nothing.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main one may choose
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is ignored stays so in a new program
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
