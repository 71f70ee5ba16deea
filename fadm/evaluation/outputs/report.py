"""The report of a run: one HTML file with its tables, plots, and worst, median and best cases as strips of pictures."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fadm.evaluation.evaluator import Evaluation, make_all
from fadm.evaluation.journal import CaseResult
from fadm.evaluation.measures import BY_NAME
from fadm.evaluation.methods import Prediction
from fadm.evaluation.outputs.files import draw_stage_curve
from fadm.evaluation.outputs.plots import Bar, draw_changes, draw_curves
from fadm.evaluation.outputs.tables import mean_of_frames, write_markdown
from fadm.evaluation.pairs import Case
from fadm.evaluation.statistics import Summary, baseline_of
from fadm.files import write_whole
from fadm.media.crop import resize_pixels
from fadm.progress import NO_PROGRESS, Progress

Pixels = NDArray[np.uint8]

REPORT = "report.html"
PER_RANK = 3  # cases shown of the worst, the median and the best ones
STRIP_SIDE = 160  # pixels of height of a picture in a strip
JPEG_QUALITY = 88
RANKING = ("l1", "efficientnet_lite0_distance", "akd", "csim_dlib", "expression_distance_l1")  # the first that is there
STYLE = (
    "body{font-family:sans-serif;max-width:75em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}"
    "td,th{border:1px solid #ccc;padding:.2em .6em;text-align:right}td:first-child,th:first-child{text-align:left}"
    "img{display:block}figure{margin:1em 0}figcaption{color:#555;font-size:90%}"
)


def write_report(
    evaluation: Evaluation,
    summary: Summary,
    results: Mapping[str, CaseResult],
    folder: Path,
    progress: Progress = NO_PROGRESS,
) -> None:
    """Write report.html; the cases that it shows are made again. Raises OutputError."""
    stage = summary.stages[-1]
    ranking = next((name for name in RANKING if name in summary.means), None)
    parts = [_table_html(write_markdown(summary))]
    for shown in summary.stages[1:]:
        bars = _bars(summary, shown)
        if bars:
            against = baseline_of(shown, summary.stages)
            parts.append(f"<h2>{escape(shown)}: change in % against {escape(against)}</h2>")
            parts.append(draw_changes(bars))
    curve = draw_stage_curve(summary, results)
    if curve:
        parts.append(f"<h2>Quality against time</h2>{curve}")
    if ranking is not None:
        parts.append(f"<h2>All cases by {escape(BY_NAME[ranking].title)}, sorted</h2>")
        parts.append(_sorted_curves(summary, results, ranking))
        parts += _strips(evaluation, results, stage, ranking, progress)
    title = escape(f"{summary.told['method']}: {summary.told['protocol']}")
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    write_whole(folder / REPORT, f"{head}<body>{''.join(parts)}</body></html>\n".encode())


def _bars(summary: Summary, stage: str) -> list[Bar]:
    bars = []
    for name, by_stage in summary.changes.items():
        percent = by_stage[stage].percent if stage in by_stage else None
        if percent is not None:
            metric = BY_NAME[name]
            bars.append((metric.title, percent.estimate, percent.low, percent.high, metric.better))
    return bars


def _case_means(results: Mapping[str, CaseResult], stage: str, name: str) -> dict[str, float]:
    """Mean of a metric by case, where there is one."""
    means = {}
    for case, result in results.items():
        mean = mean_of_frames(result.values.get(stage, {}).get(name, []))
        if not np.isnan(mean):
            means[case] = mean
    return means


def _sorted_curves(summary: Summary, results: Mapping[str, CaseResult], name: str) -> str:
    curves = {}
    for stage in summary.stages:
        means = sorted(_case_means(results, stage, name).values())
        curves[stage] = [(float(rank), value) for rank, value in enumerate(means, start=1)]
    return draw_curves(curves, "case", BY_NAME[name].title)


def _strips(
    evaluation: Evaluation, results: Mapping[str, CaseResult], stage: str, name: str, progress: Progress
) -> list[str]:
    better = BY_NAME[name].better
    means = _case_means(results, stage, name)
    ranked = sorted(means, key=lambda case: (-better * means[case], case))  # best first
    middle = max(0, (len(ranked) - PER_RANK) // 2)
    ranks = {"Worst": ranked[::-1][:PER_RANK], "Median": ranked[middle:][:PER_RANK], "Best": ranked[:PER_RANK]}
    wanted = {case for cases in ranks.values() for case in cases}
    cases = [case for case in evaluation.pairs.cases if case.name in wanted]
    progress.stage("report", len(cases))
    figures: dict[str, dict[str, str]] = {}
    for case, made in make_all(evaluation, cases):
        progress.advance()
        for rank, names in ranks.items():
            if case.name in names:
                values = results[case.name].values[stage][name]
                frame = _choose_frame([better * value for value in values], rank)
                figure = _strip(evaluation, case, made, frame, f"{values[frame]:.4g}")
                figures.setdefault(rank, {})[case.name] = figure + _frame_curves(results[case.name], name)
    order = "source, driver, " + ", ".join(evaluation.method.stages)
    title = BY_NAME[name].title
    parts = [f"<p>Strips: {escape(order)}, and four times the difference of the last one to the driver.</p>"]
    if not evaluation.pairs.has_truth:
        parts = [f"<p>Strips: {escape(order)}.</p>"]
    for rank, names in ranks.items():
        parts.append(f"<h2>{rank} by {escape(title)}</h2>")
        parts += [figures[rank][case] for case in names]
    return parts


def _frame_curves(result: CaseResult, name: str) -> str:
    """A metric over the frames of one video, by stage; empty for a single picture."""
    curves = {s: [(float(i), v) for i, v in enumerate(values[name])] for s, values in result.values.items()}
    if max(map(len, curves.values())) < 2:
        return ""
    return draw_curves(curves, f"frame of {result.case}", BY_NAME[name].title)


def _choose_frame(goodness: Sequence[float], rank: str) -> int:
    """Number of the frame of a case that stands for its rank."""
    order = [index for index in np.argsort(goodness, kind="stable").tolist() if not np.isnan(goodness[index])]
    return int({"Worst": order[0], "Median": order[len(order) // 2], "Best": order[-1]}[rank])


def _strip(evaluation: Evaluation, case: Case, made: Prediction, frame: int, value: str) -> str:
    frames = evaluation.frames
    source = frames.look(case.source_clip, case.source_frame).pixels
    driver = frames.look(case.driving_clip, case.driving_frames[frame]).pixels
    pictures = [source, driver, *(made.pictures[stage][frame] for stage in evaluation.method.stages)]
    if evaluation.pairs.has_truth:
        difference = 4 * np.abs(pictures[-1].astype(np.int16) - driver)
        pictures.append(np.clip(difference, 0, 255).astype(np.uint8))
    row = [resize_pixels(p, round(STRIP_SIDE * p.shape[1] / len(p)), STRIP_SIDE) for p in pictures]
    strip = Image.fromarray(np.concatenate(row, axis=1))
    file = io.BytesIO()
    strip.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    data = base64.b64encode(file.getvalue()).decode()
    caption = f"{case.name}, frame {case.driving_frames[frame]}: {value}"
    return (
        f'<figure><img alt="" src="data:image/jpeg;base64,{data}"><figcaption>{escape(caption)}</figcaption></figure>'
    )


def _table_html(markdown: str) -> str:
    """The run's own Markdown (headings, tables, lists, paragraphs) as HTML."""
    parts: list[str] = []
    rows: list[str] = []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            if not line.startswith("|---"):
                tag = "td" if rows else "th"
                cells = [escape(cell.strip().strip("*")) for cell in line.strip("|").split("|")]
                rows.append("<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>")
            continue
        if rows:
            parts.append(f"<table>{''.join(rows)}</table>")
            rows = []
        if line.startswith("# "):
            parts.append(f"<h1>{escape(line[2:])}</h1>")
        elif line:
            parts.append(f"<p>{escape(line.removeprefix('- '))}</p>")
    return "".join(parts)
