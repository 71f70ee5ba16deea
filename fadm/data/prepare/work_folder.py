"""The output folder while shards are made: what is finished of it, for which options, and what may be written."""

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

FORMAT = 1  # of the work folder's files; another number makes them anew
WORK, OPTIONS, SUMMARY = "work", "options.json", "summary.json"
BEGUN = ".fadm-*.part"  # names under which `replace_file` begins a file
STILLS_OF_A_JOB = 64
OUTCOME, STRIPS = "outcome.json", "strips/"  # in the file of a job, beside its samples

Job = tuple[Recording, ...]


@dataclass(frozen=True)
class WorkFolder:
    """A folder that shards are made in. jobs: each one's place in the work folder, in the order of the shards."""

    output: Path
    jobs: dict[Path, Job]
    described: dict[str, Any]
    digest: str

    @property
    def summary(self) -> Path:
        """The file that is written last."""
        return self.output / SUMMARY

    def is_finished(self) -> bool:
        """Whether all that is asked for lies there from a run before."""
        return self.summary.is_file()

    def unfinished(self) -> dict[Path, Job]:
        """The jobs that no run before has finished."""
        return {place: job for place, job in self.jobs.items() if not place.is_file()}

    def clear(self) -> None:
        """Remove what is not the result, and what a killed run had begun beside it."""
        work = self.output / WORK
        with explain_failure(work):
            for begun in self.output.glob(BEGUN):
                begun.unlink()
            if work.is_dir():
                shutil.rmtree(work)


def open_work_folder(output: Path, recordings: Iterable[Recording], options: PrepareOptions) -> WorkFolder:
    """Make the folder, or go on in it.

    Raises OutputError for a folder with other files, or made with other options or (when finished) other videos.
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
    """Options as JSON keeps them."""
    values = asdict(options) | {"rate": str(options.rate), "format": FORMAT}
    return json.loads(json.dumps(values))


def group_recordings(recordings: Iterable[Recording]) -> list[Job]:
    """One job for each video, and one for some still pictures of the same split."""
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
    """Of the options and of what tells a file from a changed one: place, size and time of change."""
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
            "give another folder, or delete this one to make it anew"
        )


def _check_options(output: Path, before: Any, now: Mapping[str, Any]) -> None:
    if not isinstance(before, dict):
        raise OutputError(f"'{output}' holds a {SUMMARY} that is not of prepared shards; give another folder")
    names = [field.name for field in fields(PrepareOptions)] + ["format"]
    others = [name for name in names if before.get(name) != now[name]]
    if others:
        said = ", ".join(f"--{name.replace('_', '-')} {before.get(name)} and not {now[name]}" for name in others)
        raise OutputError(
            f"'{output}' was begun with {said}; give the same options, another folder, or delete this one"
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(f"'{path}' cannot be read ({error}); give another folder, or delete this one") from error
    return content if isinstance(content, dict) else {}
