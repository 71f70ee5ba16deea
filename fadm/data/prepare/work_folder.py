"""The output folder while shards are made: which jobs are finished, with which options, and what may be written."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from fadm.data.prepare.layouts import Recording
from fadm.data.prepare.options import PrepareOptions
from fadm.errors import InputError, OutputError
from fadm.files import check_folder, explain_failure, write_whole

FORMAT = 1  # of the work folder's files; with another number they are made again
WORK, OPTIONS, SUMMARY = "work", "options.json", "summary.json"
BEGUN = ".fadm-*.part"  # names under which `replace_file` begins a file
STILLS_OF_A_JOB = 64
RESULTS, STRIPS = "results.json", "strips/"  # in the file of a job, beside its samples

Job = tuple[Recording, ...]


@dataclass(frozen=True)
class WorkFolder:
    """A folder in which shards are made.

    Attributes:
        output: The folder.
        jobs: Recordings that are prepared together, by the file of their results, in the order of the shards.
        described: The options, as JSON keeps them.
        digest: A hash of options and recordings.
    """

    output: Path
    jobs: dict[Path, Job]
    described: dict[str, Any]
    digest: str

    @property
    def summary(self) -> Path:
        """The summary, which is written last."""
        return self.output / SUMMARY

    def is_finished(self) -> bool:
        """Return whether an earlier run has finished."""
        return self.summary.is_file()

    def unfinished(self) -> dict[Path, Job]:
        """Return the jobs without results."""
        return {place: job for place, job in self.jobs.items() if not place.is_file()}

    def clear(self) -> None:
        """Remove the work folder, and files that a killed run had begun.

        Raises:
            OutputError: They cannot be removed.
        """
        work = self.output / WORK
        with explain_failure(work):
            for begun in self.output.glob(BEGUN):
                begun.unlink()
            if work.is_dir():
                shutil.rmtree(work)


def open_work_folder(output: Path, recordings: Iterable[Recording], options: PrepareOptions) -> WorkFolder:
    """Make the folder, or open it to resume.

    Args:
        output: The folder for the shards.
        recordings: All recordings.
        options: How they are prepared.

    Returns:
        The folder.

    Raises:
        OutputError: The folder holds other files, was begun with other options, is finished with other videos, or
            cannot be written.
        InputError: A recording cannot be read.
    """
    described = describe_options(options)
    work = output / WORK
    jobs = {work / f"{_digest(job, described)}.tar": job for job in group_recordings(recordings)}
    digest = hashlib.sha256("".join(place.stem for place in jobs).encode()).hexdigest()
    folder = WorkFolder(output, jobs, described, digest)
    if output.exists() and not output.is_dir():
        raise OutputError(f"'{output}' is a file; give a folder for the shards")
    if folder.summary.is_file():
        _check_finished(folder)
        return folder
    if (work / OPTIONS).is_file():
        _check_options(output, _read_json(work / OPTIONS), described)
        return folder
    present = [f.name for f in output.iterdir() if f.name != WORK] if output.is_dir() else []
    if present:
        raise OutputError(
            f"'{output}' holds other files ({', '.join(sorted(present)[:3])}); give a new or an empty folder"
        )
    if not output.is_dir():
        check_folder(output)
    with explain_failure(work):
        work.mkdir(parents=True, exist_ok=True)
    write_whole(work / OPTIONS, json.dumps(described).encode())
    return folder


def describe_options(options: PrepareOptions) -> dict[str, Any]:
    """Convert options to the values that JSON knows.

    Args:
        options: The options.

    Returns:
        The options by name, and the format of the work folder.
    """
    values = asdict(options) | {"rate": str(options.rate), "format": FORMAT}
    return json.loads(json.dumps(values))


def group_recordings(recordings: Iterable[Recording]) -> list[Job]:
    """Group recordings into jobs.

    Args:
        recordings: The recordings in order.

    Returns:
        A job for each video, and one for up to STILLS_OF_A_JOB still pictures of the same split.
    """
    jobs: list[list[Recording]] = []
    for recording in recordings:
        last = jobs[-1] if jobs else []
        joins = last and recording.kind == last[0].kind == "still" and recording.split == last[0].split
        if joins and len(last) < STILLS_OF_A_JOB:
            last.append(recording)
        else:
            jobs.append([recording])
    return [tuple(job) for job in jobs]


def _digest(job: Job, described: Mapping[str, Any]) -> str:
    """Hash the options, and name, size and time of change of each file."""
    known = [[asdict(recording) | {"path": ""}, _describe_files(recording)] for recording in job]
    return hashlib.sha256(json.dumps([described, known], sort_keys=True).encode()).hexdigest()[:32]


def _describe_files(recording: Recording) -> list[tuple[str, int, int]]:
    path = recording.path
    try:
        files = sorted(f for f in path.iterdir() if f.is_file()) if path.is_dir() else [path]
        return [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}; check its permissions") from error


def _check_finished(folder: WorkFolder) -> None:
    summary = _read_json(folder.summary)
    _check_options(folder.output, summary.get("options"), folder.described)
    if summary.get("inputs") != folder.digest:
        raise OutputError(
            f"'{folder.output}' holds the finished shards of other videos, or of these before they changed; "
            "give another folder, or delete this one to make it again"
        )


def _check_options(output: Path, before: Any, now: Mapping[str, Any]) -> None:
    if not isinstance(before, dict):
        raise OutputError(f"'{output}' holds a {SUMMARY} that is not of prepared shards; give another folder")
    names = [field.name for field in fields(PrepareOptions)] + ["format"]
    others = [name for name in names if before.get(name) != now[name]]
    if others:
        difference = ", ".join(f"--{name.replace('_', '-')} {before.get(name)} and not {now[name]}" for name in others)
        raise OutputError(
            f"'{output}' was begun with {difference}; give the same options, another folder, or delete this one"
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(f"'{path}' cannot be read ({error}); give another folder, or delete this one") from error
    return content if isinstance(content, dict) else {}
