import signal
import subprocess
import sys
import threading

from fadm.processes import leave_interrupts_to_parent

QUESTION = [sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"]


def ask() -> str:
    return subprocess.run(QUESTION, capture_output=True, text=True, check=True).stdout.strip()


def test_processes_started_in_the_block_ignore_interrupts():
    before = signal.getsignal(signal.SIGINT)
    with leave_interrupts_to_parent():
        assert ask() == "True"
    assert ask() == "False" and signal.getsignal(signal.SIGINT) is before


def test_another_thread_starts_processes_too():
    answers = []

    def work():
        with leave_interrupts_to_parent():
            answers.append(ask())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == ["False"]
