"""A run's numbers for other programs: CSV of frames, of cases and of movements, and JSON of the summary."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fadm.evaluation.evaluator import REFERENCE
from fadm.evaluation.journal import CaseResult, ordered_results
from fadm.evaluation.pairs import PairList
from fadm.evaluation.statistics import Summary
from fadm.metrics.following import SIGNALS


def write_csv(pairs: PairList, results: Mapping[str, CaseResult], names: Sequence[str]) -> str:
    """Write a line for each frame and stage.

    Args:
        pairs: The cases, whose order the lines have.
        results: The measured cases by name.
        names: Metrics, one column each; a metric over several frames stands with the first of them.

    Returns:
        CSV with a line of heads; empty cells where there is no value.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["case", "source clip", "source frame", "driving clip", "driving frame", "stage", *names])
    for result, case in zip(ordered_results(dict(results), pairs), pairs.cases, strict=True):
        for stage, values in result.values.items():
            for index, number in enumerate(case.driving_frames):
                row = [values[name][index] if index < len(values[name]) else math.nan for name in names]
                place = [case.name, case.source_clip, case.source_frame, case.driving_clip, number]
                writer.writerow([*place, stage, *map(_show_cell, row)])
    return file.getvalue()


def write_case_csv(pairs: PairList, results: Mapping[str, CaseResult], names: Sequence[str]) -> str:
    """Write a line for each case (a video, or a single picture) and stage: means over its frames, and its notes.

    Args:
        pairs: The cases, whose order the lines have.
        results: The measured cases by name.
        names: Metrics, one column each.

    Returns:
        CSV with a line of heads.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["case", "source clip", "driving clip", "stage", "frames", "frames made", *names, "notes"])
    for case in pairs.cases:
        if case.name not in results:
            continue
        result = results[case.name]
        notes = "; ".join(f"{kind}: {text}" for kind, text in result.notes)
        for stage, values in result.values.items():
            means = [_show_cell(mean_of_frames(values[name])) for name in names]
            counts = [len(case.driving_frames), result.made.get(stage, 0)]
            writer.writerow([case.name, case.source_clip, case.driving_clip, stage, *counts, *means, notes])
    return file.getvalue()


def write_movement_csv(pairs: PairList, results: Mapping[str, CaseResult]) -> str:
    """Write a line for each frame of each driver and of each stage: the signals of its face.

    Args:
        pairs: The cases, whose order the lines have.
        results: The measured cases by name.

    Returns:
        CSV with a line of heads; empty where no signals were read.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["case", "source clip", "driving clip", "driving frame", "picture", *SIGNALS])
    empty = file.tell()
    for case in pairs.cases:
        signals = results[case.name].signals if case.name in results else {}
        for picture, rows in signals.items():
            title = "driver" if picture == REFERENCE else picture
            for number, row in zip(case.driving_frames, rows.tolist(), strict=False):
                place = [case.name, case.source_clip, case.driving_clip, number, title]
                writer.writerow([*place, *map(_show_cell, row)])
    return file.getvalue() if file.tell() > empty else ""


def mean_of_frames(numbers: Sequence[float]) -> float:
    """Average a metric over the frames of a case.

    Args:
        numbers: Its values.

    Returns:
        The mean of those that are finite; NaN where there is none.
    """
    finite = [number for number in numbers if math.isfinite(number)]
    return math.fsum(finite) / len(finite) if finite else math.nan


def _show_cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def write_json(summary: Summary) -> str:
    """Write a run's summary as JSON, which has neither infinity nor NaN: such numbers become text.

    Args:
        summary: The run.

    Returns:
        JSON, the same for the same numbers.
    """
    content: dict[str, Any] = {
        "told": summary.manifest,
        "cases": summary.num_cases,
        "frames": summary.num_frames,
        "made": summary.made,
        "means": {name: {s: asdict(i) for s, i in by.items()} for name, by in summary.means.items()},
        "changes": {name: {s: asdict(c) for s, c in by.items()} for name, by in summary.changes.items()},
        "sets": summary.sets,
        "set_size": summary.set_size,
        "following": {name: {s: asdict(f) for s, f in by.items()} for name, by in summary.following.items()},
        "notes": summary.notes,
    }
    return json.dumps(_finite(content), indent=1, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
