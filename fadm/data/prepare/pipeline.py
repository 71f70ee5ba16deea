"""From raw videos to shards, a summary and a contact sheet; a run that was killed resumes where it was."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

from fadm.data.prepare.contact_sheet import Row, draw_contact_sheet, thin_out
from fadm.data.prepare.layouts import find_recordings
from fadm.data.prepare.options import PrepareOptions
from fadm.data.prepare.summary import PreparationSummary
from fadm.data.prepare.work_folder import RESULTS, STRIPS, WorkFolder, open_work_folder
from fadm.data.prepare.workers import run_jobs
from fadm.data.shard_writer import ShardWriter, pack_members, read_members
from fadm.errors import InputError, OptionError
from fadm.files import explain_failure, write_whole
from fadm.progress import NO_PROGRESS, Progress

CONTACT_SHEET = "contact_sheet.html"
MEGABYTE = 2**20

Record = dict[str, Any]  # a recording's result, or one of its notes, as `pack_results` stores it


def prepare_videos(
    inputs: Sequence[Path],
    output: Path,
    options: PrepareOptions,
    num_workers: int = 1,
    progress: Progress = NO_PROGRESS,
) -> PreparationSummary:
    """Cut videos, frame folders or pictures into clips, and write them as webdataset shards.

    What an earlier run has finished is kept. The same input gives the same bytes, whatever the number of processes.

    Args:
        inputs: Videos, or folders of a known layout.
        output: Folder for the shards: new, empty or unfinished.
        options: How clips are cut, selected and written.
        num_workers: Processes, each with one thread.
        progress: Follows the recordings that are prepared, then those that are written.

    Returns:
        What was kept and what was dropped, also written to `summary.json`.

    Raises:
        InputError: An input does not exist, or holds nothing to read.
        OptionError: There are less than 1 process.
        OutputError: The folder holds other files, was made with other options or videos, or cannot be written.
    """
    if num_workers < 1:
        raise OptionError(f"--workers {num_workers}: give a number from 1")
    folder = open_work_folder(output, find_recordings(inputs, options), options)
    if not folder.is_finished():
        _run(folder, options, num_workers, progress)
        _assemble(folder, options, progress)
    folder.clear()
    return PreparationSummary.from_dict(json.loads(folder.summary.read_text(encoding="utf-8")))


def _run(folder: WorkFolder, options: PrepareOptions, num_workers: int, progress: Progress) -> None:
    """Do the unfinished jobs."""
    jobs = folder.unfinished()
    progress.stage("preparing", len(folder.jobs))
    for _ in range(len(folder.jobs) - len(jobs)):
        progress.advance()
    crashes: dict[Path, str] = {}
    with closing(run_jobs(jobs, options, num_workers)) as done:
        for place, crash in done:
            if crash:
                crashes[place] = crash
            progress.advance()
    for place, crash in crashes.items():  # not before the others are done: what kills workers may kill the run
        records = [{"file": r.file, "problem": crash, "seconds": 0.0, "notes": []} for r in jobs[place]]
        write_whole(place, pack_members({RESULTS: json.dumps(records).encode()}))


def _assemble(folder: WorkFolder, options: PrepareOptions, progress: Progress) -> None:
    """Write shards in the order of the jobs, the contact sheet, and last the summary, which marks a finished folder."""
    records = [record for place in folder.jobs for record in _read_records(place)]
    summary = PreparationSummary.from_results(records)
    notes = {note["key"]: note for record in records for note in record["notes"]}
    shown = _choose_shown(notes)
    strips: dict[str, bytes] = {}
    progress.stage("writing", len(folder.jobs))
    for split, places in groupby(folder.jobs, key=lambda place: folder.jobs[place][0].split):
        with ShardWriter(folder.output, split or "clips", options.shard_size * MEGABYTE) as writer:
            for place in places:
                for key, members in _read_samples(place):
                    if key.startswith(STRIPS):
                        strips |= {name: strip for name, strip in _name_strips(members) if name in shown}
                    else:
                        writer.write(members)
                progress.advance()
        summary.shards += writer.names
    _remove_stale(folder, summary)
    rows = [Row(key, _describe(notes[key]), strips.get(key, b""), notes[key]["reason"]) for key in shown]
    sheet = draw_contact_sheet(rows, summary.table(), len(notes))
    write_whole(folder.output / CONTACT_SHEET, sheet.encode(errors="replace"))
    content = summary.as_dict() | {"options": folder.described, "inputs": folder.digest}
    write_whole(folder.summary, (json.dumps(content, indent=1) + "\n").encode())


def _read_records(place: Path) -> list[Record]:
    """Read the results of a job's recordings, the first member of its file."""
    name, content = next(read_members(place), ("", b""))
    if name != RESULTS:
        raise InputError(f"'{place}' was changed by another program; delete it and run again")
    return json.loads(content)


def _read_samples(place: Path) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Read the files of a job after the first, grouped by key."""
    members = read_members(place)
    next(members)
    for key, files in groupby(members, key=lambda member: member[0].partition(".")[0]):
        yield key, list(files)


def _name_strips(members: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    for name, content in members:
        yield name.removeprefix(STRIPS).partition(".")[0], content


def _choose_shown(notes: Mapping[str, Record]) -> list[str]:
    """Choose the clips on the contact sheet: their keys in order."""
    keys = list(notes)
    kept = thin_out([i for i, note in enumerate(notes.values()) if not note["reason"]])
    dropped = thin_out([i for i, note in enumerate(notes.values()) if note["reason"]])
    return [keys[i] for i in sorted(kept | dropped)]


def _describe(note: Record) -> str:
    parts = [note["detail"], f"{note['frames']} frames" if note["frames"] else "", f"{note['seconds']:.1f} s"]
    return ", ".join(part for part in parts if part)


def _remove_stale(folder: WorkFolder, summary: PreparationSummary) -> None:
    """Remove shards of a killed run that had more videos."""
    for stale in set(folder.output.glob("*.tar")) - {folder.output / name for name in summary.shards}:
        with explain_failure(stale):
            stale.unlink()
