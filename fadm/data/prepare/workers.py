"""Processes that prepare recordings: each has one thread, none outlives the command, a crash costs one job.

Each process has a pipe of its own, whose end tells of its death: whichever moment a process dies at, its job is known.
"""

import multiprocessing
import os
import threading
from collections.abc import Generator, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from fadm.data.prepare.layouts import Recording
from fadm.data.prepare.options import PrepareOptions
from fadm.errors import OutputError
from fadm.processes import leave_interrupts_to_parent

Job = tuple[Recording, ...]

PROCESSES = multiprocessing.get_context("spawn")  # a fork would copy locks that threads hold
_THREAD_LIMITS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run_jobs(jobs: Mapping[Path, Job], options: PrepareOptions, num_workers: int) -> Generator[tuple[Path, str]]:
    """Prepare jobs in processes; a job whose process dies is tried once more, after all others.

    Args:
        jobs: The recordings of each job by the file that its result is written to, whole or not at all.
        options: How recordings are prepared.
        num_workers: Number of processes.

    Yields:
        The file of each finished job, in any order, and how its process died the second time, empty for all others.
        When the generator is closed, its processes are killed.

    Raises:
        OutputError: A result cannot be written.
    """
    waiting = list(jobs)[::-1]
    crashed: set[Path] = set()
    workers: dict[Connection, tuple[BaseProcess, Path]] = {}
    try:
        while waiting or workers:
            while waiting and len(workers) < num_workers:
                _start_worker(workers, waiting.pop(), jobs, options)
            for connection in wait(list(workers)):
                assert isinstance(connection, Connection)
                process, place = workers.pop(connection)
                crash = _receive(connection, process)
                if not crash and waiting:
                    workers[connection] = (process, waiting.pop())
                    _hand_over(connection, workers[connection][1], jobs)
                elif not crash:
                    _end(connection, process)
                if crash and place not in crashed:
                    crashed.add(place)
                    waiting.insert(0, place)
                else:
                    yield place, crash
    finally:
        for connection, (process, _) in workers.items():
            _end(connection, process)


def _start_worker(
    workers: dict[Connection, tuple[BaseProcess, Path]], place: Path, jobs: Mapping[Path, Job], options: PrepareOptions
) -> None:
    connection, far_end = multiprocessing.Pipe()
    process = PROCESSES.Process(target=serve, args=(far_end, options), daemon=True)
    limits = {name: os.environ.get(name) for name in _THREAD_LIMITS}
    os.environ.update(dict.fromkeys(_THREAD_LIMITS, "1"))  # read by the libraries when the process loads them
    try:
        with leave_interrupts_to_parent():
            process.start()
    finally:
        for name, limit in limits.items():
            os.environ.pop(name) if limit is None else os.environ.update({name: limit})
    far_end.close()
    workers[connection] = (process, place)
    _hand_over(connection, place, jobs)


def _hand_over(connection: Connection, place: Path, jobs: Mapping[Path, Job]) -> None:
    with suppress(BrokenPipeError):  # a process that died is noticed when its result is awaited
        connection.send((place, jobs[place]))


def _end(connection: Connection, process: BaseProcess) -> None:
    """Kill a process whatever it does: files are written whole or not at all."""
    process.kill()
    process.join()
    connection.close()


def _receive(connection: Connection, process: BaseProcess) -> str:
    """How a process died, empty if it finished its job. Raises the OutputError that happened there."""
    try:
        failure = connection.recv()
    except (EOFError, OSError):
        process.join()
        connection.close()
        return f"the process that prepared it ended with status {process.exitcode}"
    if failure is not None:
        raise OutputError(failure)
    return ""


def serve(connection: Connection, options: PrepareOptions) -> None:
    """Do one job after the other until the connection is closed; end at once with the process that started this one.

    Args:
        connection: Brings jobs, each with the file of its result, and takes None for each finished job or the message
            of an OutputError.
        options: How recordings are prepared.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()

    import torch

    from fadm.data.prepare.recordings import prepare_job
    from fadm.files import write_whole

    torch.set_num_threads(1)
    with suppress(EOFError):
        while True:
            place, job = connection.recv()
            content = prepare_job(job, options)
            try:
                write_whole(place, content)
            except OutputError as error:
                connection.send(str(error))
            else:
                connection.send(None)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
