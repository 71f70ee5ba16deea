"""A run's numbers as files: CSV of every frame, JSON, and tables in Markdown and LaTeX as papers print them."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fadm.evaluation.journal import CaseResult, walk_results
from fadm.evaluation.measures import BY_NAME
from fadm.evaluation.pairs import PairList
from fadm.evaluation.statistics import SET_TITLES, Summary
from fadm.metrics.bootstrap import Interval

# The columns of papers' tables, where they were measured.
PAPER_METRICS = (
    "l1",
    "lpips_alex",
    "lpips_vgg",
    "efficientnet_lite0_distance",
    "psnr",
    "ssim",
    "akd",
    "akd_fan68",
    "aed_l2_dlib",
    "csim_dlib",
    "csim_arcface",
    "missing_face",
)
ARROWS = {1: " ↑", -1: " ↓", 0: ""}
LATEX_ARROWS = {1: r" $\uparrow$", -1: r" $\downarrow$", 0: ""}

Row = tuple[str, Mapping[str, Interval]]


def write_csv(pairs: PairList, results: Mapping[str, CaseResult], names: Sequence[str]) -> str:
    """One line for each frame and stage; a metric over several frames stands with the first of them."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["case", "source clip", "source frame", "driving clip", "driving frame", "stage", *names])
    for result, case in zip(walk_results(dict(results), pairs), pairs.cases, strict=True):
        for stage, values in result.values.items():
            for index, number in enumerate(case.driving_frames):
                row = [values[name][index] if index < len(values[name]) else math.nan for name in names]
                place = [case.name, case.source_clip, case.source_frame, case.driving_clip, number]
                writer.writerow([*place, stage, *map(_show_cell, row)])
    return file.getvalue()


def write_case_csv(pairs: PairList, results: Mapping[str, CaseResult], names: Sequence[str]) -> str:
    """One line for each case (a video, or a single picture) and stage: means over its frames, and its notes."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["case", "source clip", "driving clip", "stage", "frames", "frames made", *names, "notes"])
    for case in pairs.cases:
        if case.name not in results:
            continue
        result = results[case.name]
        notes = "; ".join(f"{kind}: {said}" for kind, said in result.notes)
        for stage, values in result.values.items():
            means = [_show_cell(mean_of_frames(values[name])) for name in names]
            counts = [len(case.driving_frames), result.made.get(stage, 0)]
            writer.writerow([case.name, case.source_clip, case.driving_clip, stage, *counts, *means, notes])
    return file.getvalue()


def mean_of_frames(numbers: Sequence[float]) -> float:
    """Mean of the finite numbers of one case's frames; NaN where there is none."""
    finite = [number for number in numbers if math.isfinite(number)]
    return math.fsum(finite) / len(finite) if finite else math.nan


def _show_cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def write_json(summary: Summary) -> str:
    """The summary as JSON; what is not finite as text."""
    content: dict[str, Any] = {
        "told": summary.told,
        "cases": summary.num_cases,
        "frames": summary.num_frames,
        "made": summary.made,
        "means": {name: {s: asdict(i) for s, i in by.items()} for name, by in summary.means.items()},
        "changes": {name: {s: asdict(c) for s, c in by.items()} for name, by in summary.changes.items()},
        "sets": summary.sets,
        "set_size": summary.set_size,
        "notes": summary.notes,
    }
    return json.dumps(_finite(content), indent=1, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def write_markdown(summary: Summary) -> str:
    """A heading, the papers' table, every metric with its interval and change, and what is to be known of them."""
    told = summary.told
    lines = [f"# {told['method']}: {told['protocol']}", "", *_describe(summary), ""]
    lines += paper_table([(stage, _stage_means(summary, stage)) for stage in summary.stages])
    lines += ["", *detail_table(summary)]
    if summary.sets:
        lines += ["", *set_table(summary)]
    if summary.notes:
        lines += ["", "To be known:", *(f"- {note}" for note in summary.notes)]
    return "\n".join(lines) + "\n"


def _describe(summary: Summary) -> list[str]:
    told = summary.told
    clips = max((i.num_groups for by in summary.means.values() for i in by.values()), default=0)
    counts = ", ".join(f"{stage} {count}" for stage, count in summary.made.items())
    said = (
        f"{summary.num_cases} cases, {summary.num_frames} frames, {clips} driving clips; pairs {told['pairs'][:12]}, "
        f"data {told['data'][:12]}. Frames made: {counts}. In brackets: 95 % intervals, clips drawn again."
    )
    if clips == 1:
        said += " A single clip has none."
    if told["protocol"] == "cross-identity":
        said += " No frame shows the truth: identity is compared with the source, expression and pose with the driver."
    return [said]


def _stage_means(summary: Summary, stage: str) -> dict[str, Interval]:
    return {name: by[stage] for name, by in summary.means.items() if stage in by}


def paper_table(rows: Sequence[Row]) -> list[str]:
    """Methods by the metrics that papers print; the best of each column is bold."""
    names = paper_columns(rows)
    if not names:
        return []
    heads = [BY_NAME[name].title + ARROWS[BY_NAME[name].better] for name in names]
    lines = [f"| | {' | '.join(heads)} |", f"|---{'|---' * len(names)}|"]
    for title, means in rows:
        cells = [_cell(name, means, rows, "**{}**") for name in names]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def write_latex(rows: Sequence[Row]) -> str:
    """The papers' table for LaTeX with booktabs; below each row its 95 % intervals."""
    names = paper_columns(rows)
    heads = [_escape(BY_NAME[name].title) + LATEX_ARROWS[BY_NAME[name].better] for name in names]
    lines = [rf"\begin{{tabular}}{{l{'c' * len(names)}}}", r"\toprule", " & ".join(["Method", *heads]) + r" \\"]
    lines.append(r"\midrule")
    for title, means in rows:
        cells = [_cell(name, means, rows, r"\textbf{{{}}}") for name in names]
        lines.append(" & ".join([_escape(title), *cells]) + r" \\")
        intervals = [_show_range(means.get(name), BY_NAME[name].digits) for name in names]
        lines.append(" & ".join(["", *(rf"{{\scriptsize {text}}}" if text else "" for text in intervals)]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _show_range(interval: Interval | None, digits: int) -> str:
    if interval is None or interval.num_groups < 2:
        return ""
    return f"[{show(interval.low, digits)}, {show(interval.high, digits)}]"


def paper_columns(rows: Sequence[Row]) -> list[str]:
    """The papers' metrics that a row has."""
    return [name for name in PAPER_METRICS if any(name in means for _, means in rows)]


def _cell(name: str, means: Mapping[str, Interval], rows: Sequence[Row], bold: str) -> str:
    if name not in means:
        return "-"
    written = show(means[name].estimate, BY_NAME[name].digits)
    others = [show(m[name].estimate, BY_NAME[name].digits) for _, m in rows if name in m]
    best = max if BY_NAME[name].better > 0 else min
    is_best = len(set(others)) > 1 and float(written) == best(float(other) for other in others)
    return bold.format(written) if is_best else written


def detail_table(summary: Summary) -> list[str]:
    """Every metric with its interval; for later stages the relative change against their baseline beside it."""
    heads = [summary.stages[0]]
    for stage in summary.stages[1:]:
        against = {change[stage].against for change in summary.changes.values() if stage in change}
        heads += [stage, f"against {against.pop() if against else summary.stages[0]}"]
    lines = [f"| metric | {' | '.join(heads)} |", f"|---{'|---' * len(heads)}|"]
    for name, by_stage in summary.means.items():
        metric, cells = BY_NAME[name], []
        for stage in summary.stages:
            cells.append(show_interval(by_stage.get(stage), metric.digits))
            if stage != summary.stages[0]:
                cells.append(show_change(summary, name, stage))
        lines.append(f"| {metric.title}{ARROWS[metric.better]} | {' | '.join(cells)} |")
    return lines


def show_change(summary: Summary, name: str, stage: str) -> str:
    """Relative change in percent, or the difference where a share of nothing would be asked for."""
    change = summary.changes.get(name, {}).get(stage)
    if change is None:
        return "-"
    if change.percent is not None:
        return show_interval(change.percent, 1, sign=True, unit=" %")
    return show_interval(change.difference, BY_NAME[name].digits, sign=True)


def show_interval(interval: Interval | None, digits: int, *, sign: bool = False, unit: str = "") -> str:
    """An estimate and its interval in brackets; the estimate alone where a single clip tells nothing of others."""
    if interval is None:
        return "-"
    if interval.num_groups < 2:
        return show(interval.estimate, digits, sign=sign) + unit
    numbers = [show(n, digits, sign=sign) for n in (interval.estimate, interval.low, interval.high)]
    return f"{numbers[0]}{unit} [{numbers[1]}, {numbers[2]}]"


def show(number: float, digits: int, *, sign: bool = False) -> str:
    """A number with so many digits behind the point; no sign where all that is left is zero."""
    written = f"{number:{'+' if sign else ''}.{digits}f}"
    return written.lstrip("+-") if math.isfinite(number) and float(written) == 0 else written


def set_table(summary: Summary) -> list[str]:
    """Distances of whole sets of pictures from the reference set, which is named."""
    real = "source's clips" if summary.told["protocol"] == "cross-identity" else "driving frames"
    lines = [
        f"Sets of pictures against {summary.set_size} real ones (the {real}); compare only with as many.",
        "",
        f"| set | {' | '.join(summary.stages)} |",
        f"|---{'|---' * len(summary.stages)}|",
    ]
    for name, by_stage in summary.sets.items():
        cells = [show(by_stage[stage], 4) if stage in by_stage else "-" for stage in summary.stages]
        lines.append(f"| {SET_TITLES[name]} ↓ | {' | '.join(cells)} |")
    return lines


def _escape(text: str) -> str:
    spelled = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(spelled.get(c, rf"\{c}" if c in "%&_#${}" else c) for c in text)
