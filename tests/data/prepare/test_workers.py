"""A process that dies costs one job, and none outlives its parent."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from fadm.data.prepare import workers
from fadm.data.prepare.options import PrepareOptions
from fadm.data.prepare.workers import run_jobs
from fadm.errors import OutputError


def serve_names(connection, options):
    """In place of `serve`: writes each job's first word, dies at `die`, fails at `full`."""
    while True:
        place, job = connection.recv()
        if job[0] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if job[0] == "once" and not place.with_suffix(".tried").exists():
            place.with_suffix(".tried").touch()
            os._exit(3)
        if job[0] != "full":
            place.write_text(job[0])
        connection.send("disk full" if job[0] == "full" else None)


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(workers, "serve", serve_names)
    monkeypatch.setattr(workers, "PROCESSES", multiprocessing.get_context("fork"))


def make_jobs(folder: Path, *names: str) -> dict:
    return {folder / f"{i}.tar": (name,) for i, name in enumerate(names)}


@pytest.mark.parametrize("num_workers", [1, 3])
def test_a_crash_is_tried_once_more_and_told(tmp_path, fake, num_workers):
    jobs = make_jobs(tmp_path, "a", "die", "b", "once", "c")
    done = dict(run_jobs(jobs, PrepareOptions(), num_workers))
    assert done.keys() == jobs.keys()
    crashes = {jobs[place][0]: crash for place, crash in done.items() if crash}
    assert crashes == {"die": "the process that prepared it ended with status -9"}
    assert sorted(f.read_text() for f in tmp_path.glob("*.tar")) == ["a", "b", "c", "once"]


def test_nothing_to_do(fake):
    assert list(run_jobs({}, PrepareOptions(), 2)) == []


def test_a_result_that_cannot_be_written_ends_the_run(tmp_path, fake):
    with pytest.raises(OutputError, match="disk full"):
        list(run_jobs(make_jobs(tmp_path, "a", "full", "b"), PrepareOptions(), 1))


def test_processes_end_with_the_run(tmp_path, fake):
    before = children()
    with closing(run_jobs(make_jobs(tmp_path, *"abcdef"), PrepareOptions(), 2)) as done:
        next(done)
        started = children() - before
    assert started and not children() & started


def children() -> set[int]:
    return set(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


BUSY_WORKER = """
import multiprocessing, sys, time, types
from fadm.data.prepare.options import PrepareOptions
from fadm.data.prepare.workers import serve

sys.modules["torch"] = types.SimpleNamespace(set_num_threads=lambda number: time.sleep(60))
sys.modules["fadm.data.prepare.recordings"] = types.SimpleNamespace(prepare_job=None)
sys.modules["fadm.face.tracker"] = types.SimpleNamespace(silent_native_log=None)
if __name__ == "__main__":
    ends = multiprocessing.Pipe()
    worker = multiprocessing.get_context("spawn").Process(target=serve, args=(ends[1], PrepareOptions()))
    worker.start()
    time.sleep(2)
    print(worker.pid, flush=True)
    time.sleep(60)
"""


def test_workers_end_when_their_parent_is_killed(tmp_path):
    """One that is busy does not come to see that nobody waits for it."""
    (tmp_path / "main.py").write_text(BUSY_WORKER)
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": str(root)}
    parent = subprocess.Popen([sys.executable, tmp_path / "main.py"], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    assert is_running(worker)
    parent.kill()
    parent.wait()
    until = time.monotonic() + 10
    while is_running(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(worker)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
