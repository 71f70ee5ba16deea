"""The files of a finished run."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fadm.evaluation.journal import CaseResult
from fadm.evaluation.measures import BY_NAME
from fadm.evaluation.methods import WITHOUT
from fadm.evaluation.outputs.formats import Cell, Table, format_markdown
from fadm.evaluation.outputs.plots import draw_curves
from fadm.evaluation.outputs.records import write_case_csv, write_csv, write_json, write_movement_csv
from fadm.evaluation.outputs.tables import rows_of, tabulate_means, write_latex, write_markdown
from fadm.evaluation.pairs import PairList
from fadm.evaluation.statistics import Summary
from fadm.files import write_whole

CSV, JSON, MARKDOWN, LATEX, TIMING = "frames.csv", "summary.json", "table.md", "table.tex", "timing.json"
CASES, MOVEMENTS = "cases.csv", "movements.csv"
CURVE, CURVE_TABLE = "curve.svg", "curve.md"
CURVE_METRICS = ("l1", "efficientnet_lite0_distance", "akd")


def write_outputs(folder: Path, summary: Summary, pairs: PairList, results: Mapping[str, CaseResult]) -> None:
    """Write tables, timing and, of runs with several ways of rendering, quality against time.

    When a run is repeated, only what depends on the time differs.

    Args:
        folder: The run's folder.
        summary: What the run found.
        pairs: The run's cases.
        results: The measured cases by name.

    Raises:
        OutputError: A file cannot be written.
        PackageError: matplotlib is needed and missing; the tables are written.
    """
    contents = {
        CSV: write_csv(pairs, results, summary.manifest["metrics"]),
        CASES: write_case_csv(pairs, results, summary.manifest["metrics"]),
        JSON: write_json(summary),
        MARKDOWN: write_markdown(summary),
        LATEX: write_latex(rows_of(summary)),
        TIMING: json.dumps(measure_time(results, pairs), indent=1) + "\n",
    }
    movements = write_movement_csv(pairs, results)
    if movements:
        contents[MOVEMENTS] = movements
    for name, content in contents.items():
        write_whole(folder / name, content.encode())
    curve = draw_stage_curve(summary, results)
    if curve:
        write_whole(folder / CURVE, curve.encode())
        write_whole(folder / CURVE_TABLE, write_stage_times(summary, results).encode())


def draw_stage_curve(summary: Summary, results: Mapping[str, CaseResult]) -> str:
    """Draw quality against time.

    Args:
        summary: What the run found.
        results: The measured cases by name.

    Returns:
        An `<svg>` element; empty for a run without several ways of rendering.

    Raises:
        PackageError: matplotlib is missing.
    """
    name = next((name for name in CURVE_METRICS if name in summary.means), None)
    if len(summary.stages) < 3 or name is None:
        return ""
    times = stage_times(summary, results)
    points = {stage: (times[stage], summary.means[name][stage].estimate) for stage in summary.stages}
    curves = {"whole": [points[stage] for stage in summary.stages if WITHOUT not in stage]}
    for stage in summary.stages:
        if WITHOUT in stage:
            curves[f"no {stage.partition(WITHOUT)[2]}"] = [points[stage]]
    return draw_curves(curves, "milliseconds a frame, coarse frame included", BY_NAME[name].title)


def write_stage_times(summary: Summary, results: Mapping[str, CaseResult]) -> str:
    """Write the papers' table with each stage's time as Markdown.

    Args:
        summary: What the run found.
        results: The measured cases by name.

    Returns:
        The table.
    """
    times, means = stage_times(summary, results), tabulate_means(rows_of(summary))
    rows = [(stage, [Cell(f"{times[stage]:.1f}"), *cells]) for stage, cells in means.rows]
    table = Table([means.heads[0], "ms a frame", *means.heads[1:]], rows)
    return "\n".join(format_markdown(table)) + "\n"


def stage_times(summary: Summary, results: Mapping[str, CaseResult]) -> dict[str, float]:
    """Compute how long each stage takes.

    Args:
        summary: What the run found.
        results: The measured cases by name.

    Returns:
        Milliseconds per frame by stage, the coarse frame (the first stage) included.
    """
    seconds = _add_seconds(results)
    first, num = summary.stages[0], max(1, summary.num_frames)
    return {
        stage: 1000 * (seconds[first] + (seconds[stage] if stage != first else 0)) / num for stage in summary.stages
    }


def measure_time(results: Mapping[str, CaseResult], pairs: PairList) -> dict[str, Any]:
    """Compute how long the run and its parts take.

    Args:
        results: The measured cases by name.
        pairs: The run's cases.

    Returns:
        Numbers of cases and frames, seconds in all, milliseconds per frame by part, the parts' shares, and cases
        (videos, or pictures) per minute, None where nothing took time.
    """
    seconds = _add_seconds(results)
    total, num = sum(seconds.values()), pairs.num_frames
    parts = {part: round(1000 * spent / num, 2) for part, spent in seconds.most_common()}
    shares = {part: round(spent / total, 4) for part, spent in seconds.most_common()} if total else {}
    rate = round(60 * len(results) / total, 2) if total else None
    return {
        "cases": len(results),
        "frames": num,
        "seconds": round(total, 2),
        "cases_per_minute": rate,
        "ms_per_frame": parts,
        "shares": shares,
    }


def _add_seconds(results: Mapping[str, CaseResult]) -> Counter[str]:
    """Seconds by part, of all cases."""
    seconds: Counter[str] = Counter()
    for result in results.values():
        seconds.update(result.seconds)
    return seconds
