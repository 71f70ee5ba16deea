"""The files of a finished run."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fadm.evaluation.journal import CaseResult
from fadm.evaluation.measures import BY_NAME
from fadm.evaluation.methods import WITHOUT
from fadm.evaluation.outputs.plots import draw_curves
from fadm.evaluation.outputs.tables import (
    paper_table,
    write_case_csv,
    write_csv,
    write_json,
    write_latex,
    write_markdown,
)
from fadm.evaluation.pairs import PairList
from fadm.evaluation.statistics import Summary
from fadm.files import write_whole

CSV, JSON, MARKDOWN, LATEX, TIMING = "frames.csv", "summary.json", "table.md", "table.tex", "timing.json"
CASES = "cases.csv"
CURVE, CURVE_TABLE = "curve.svg", "curve.md"
CURVE_METRICS = ("l1", "efficientnet_lite0_distance", "akd")


def write_outputs(folder: Path, summary: Summary, pairs: PairList, results: Mapping[str, CaseResult]) -> None:
    """Write tables and timing; only the latter differs when a run is repeated. Raises OutputError."""
    rows = [(stage, {name: by[stage] for name, by in summary.means.items() if stage in by}) for stage in summary.stages]
    contents = {
        CSV: write_csv(pairs, results, summary.told["metrics"]),
        CASES: write_case_csv(pairs, results, summary.told["metrics"]),
        JSON: write_json(summary),
        MARKDOWN: write_markdown(summary),
        LATEX: write_latex(rows),
        TIMING: json.dumps(measure_time(results, pairs), indent=1) + "\n",
    }
    curve = draw_stage_curve(summary, results)
    if curve:
        contents |= {CURVE: curve, CURVE_TABLE: write_stage_times(summary, results)}
    for name, content in contents.items():
        write_whole(folder / name, content.encode())


def draw_stage_curve(summary: Summary, results: Mapping[str, CaseResult]) -> str:
    """Quality against time as SVG, for runs with several ways of rendering; empty for others."""
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
    """Time and the papers' metrics by stage, as Markdown."""
    times = stage_times(summary, results)
    rows = [(stage, {n: by[stage] for n, by in summary.means.items() if stage in by}) for stage in summary.stages]
    head, line, *lines = paper_table(rows)
    cells = [f"| {stage} | {times[stage]:.1f} |" for stage in summary.stages]
    timed = [cell + row.split("|", 2)[2] for cell, row in zip(cells, lines, strict=True)]
    return "\n".join(["| | ms a frame |" + head.split("|", 2)[2], line + "---|", *timed]) + "\n"


def stage_times(summary: Summary, results: Mapping[str, CaseResult]) -> dict[str, float]:
    """Milliseconds that a frame of each stage takes, the coarse frame (the first stage) included."""
    seconds: Counter[str] = Counter()
    for result in results.values():
        seconds.update(result.seconds)
    first, num = summary.stages[0], max(1, summary.num_frames)
    return {
        stage: 1000 * (seconds[first] + (seconds[stage] if stage != first else 0)) / num for stage in summary.stages
    }


def measure_time(results: Mapping[str, CaseResult], pairs: PairList) -> dict[str, Any]:
    """Milliseconds for each frame by part, the parts' shares of all, and cases (videos, or pictures) in a minute."""
    seconds: Counter[str] = Counter()
    for result in results.values():
        seconds.update(result.seconds)
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
