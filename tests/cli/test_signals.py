import json
import os
import pty
import signal
import threading
import time

import pytest

from fadm.cli import signals
from tests.cli.process import start_fadm
from tests.clips import carphone_frames, write_clip
from tests.media.samples import ASTRONAUT

ANIMATES = "from fadm.cli import main; main()"
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_command_and_leaves_nothing(tmp_path, number):
    process = start_fadm("work", tmp_path / "out")
    assert process.stdout.readline() == "begun\n" and len(list(tmp_path.iterdir())) >= 1
    process.send_signal(number)
    assert process.communicate(timeout=20) == ("clearing up\n", "fadm: interrupted\n")
    assert process.returncode == 128 + number and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("second", SIGNALS)
def test_a_second_signal_does_not_disturb_the_first(tmp_path, second):
    process = start_fadm("work", tmp_path / "out", "--clean-up", 0.4)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "clearing up\n"
    for _ in range(20):
        time.sleep(0.05)
        if process.poll() is None:
            process.send_signal(second)  # while it clears up, and while the interpreter ends
    assert process.communicate(timeout=20) == ("", "fadm: interrupted\n")
    assert process.returncode == 130 and list(tmp_path.iterdir()) == []


def test_signals_at_any_moment_leave_no_traceback(tmp_path):
    """From the first import of the package on, through those of its libraries."""
    program = "import fadm.cli\nprint('up', flush=True)\nfadm.cli.main()"  # before, Python itself handles signals
    for moment in (0.001, 0.02, 0.05, 0.1, 0.2):
        process = start_fadm("learn-face-model", "nothing.tar", "-o", tmp_path / "a.safetensors", program=program)
        process.stdout.readline()
        time.sleep(moment)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (130, "", "fadm: interrupted\n"), moment


def test_an_ignored_hangup_stays_ignored(tmp_path):
    process = start_fadm(
        "work", tmp_path / "out", "--seconds", 0.5, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=20)[0] == "clearing up\n" and process.returncode == 0


def test_a_closed_terminal_ends_the_command_and_leaves_nothing(tmp_path):
    terminal, far_end = pty.openpty()
    process = start_fadm("work", tmp_path / "out", stderr=far_end)
    process.stdout.readline()
    os.close(far_end)
    os.close(terminal)  # what is drawn from now on is an error of the device
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=20)[0] == "clearing up\n"
    assert process.returncode == 128 + signal.SIGHUP and list(tmp_path.iterdir()) == []


def test_a_signal_that_was_lost_can_be_repeated(monkeypatch):
    monkeypatch.setattr(signals, "PATIENCE", 0.1)
    received = signals.StopSignals()
    try:
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):  # which a library may have swallowed
                signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)  # too early
            time.sleep(0.15)
        assert received.status == 143
    finally:
        received.restore()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_thread_leaves_signals_alone():
    before, made = signal.getsignal(signal.SIGINT), []
    thread = threading.Thread(target=lambda: made.append(signals.StopSignals()))
    thread.start()
    thread.join()
    assert len(made) == 1 and signal.getsignal(signal.SIGINT) is before


@pytest.mark.slow
@pytest.mark.parametrize("output", ["a.mp4", "pictures/"])
def test_an_animation_is_undone_while_its_threads_render(tmp_path, output):
    clip = write_clip(tmp_path / "driver.mp4", carphone_frames() * 8)
    place = tmp_path / "results"
    place.mkdir()
    options = ("--crop", "--size", 128, "--json")
    process = start_fadm("animate", ASTRONAUT, clip, "-o", f"{place}/{output}", *options, program=ANIMATES)
    while not ((line := json.loads(process.stdout.readline()))["stage"] == "rendering" and line["done"]):
        pass
    assert process.poll() is None
    for number in (signal.SIGTERM, signal.SIGINT):
        process.send_signal(number)
        time.sleep(0.03)
    assert process.communicate(timeout=60)[1] == "fadm: interrupted\n"
    assert process.returncode in (130, 143) and list(place.iterdir()) == []  # both may wait for one operation
