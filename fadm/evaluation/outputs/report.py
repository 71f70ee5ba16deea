"""The report of a run: one HTML file with its tables, plots, and worst, median and best cases as strips of pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fadm.evaluation.evaluator import Evaluation, predict_cases
from fadm.evaluation.journal import CaseResult
from fadm.evaluation.measures import BY_NAME
from fadm.evaluation.outputs.files import draw_stage_curve
from fadm.evaluation.outputs.following import tabulate_following
from fadm.evaluation.outputs.movement_strips import draw_movements, pack_jpeg
from fadm.evaluation.outputs.plots import Bar, draw_changes, draw_curves
from fadm.evaluation.outputs.records import mean_of_frames
from fadm.evaluation.outputs.tables import (
    describe,
    rows_of,
    tabulate_details,
    tabulate_means,
    tabulate_sets,
    title_of,
)
from fadm.evaluation.pairs import Case
from fadm.evaluation.prediction import Prediction
from fadm.evaluation.statistics import Summary, baseline_of
from fadm.files import write_whole
from fadm.media.crop import resize_pixels
from fadm.progress import NO_PROGRESS, Progress
from fadm.templates import render_page

Pixels = NDArray[np.uint8]

REPORT = "report.html"
PER_RANK = 3  # cases shown of the worst, the median and the best ones
STRIP_SIDE = 160  # pixels of height of a picture in a strip
RANKING = ("l1", "efficientnet_lite0_distance", "akd", "csim_dlib", "expression_distance_l1")  # the first measured one
WORST, MEDIAN, BEST = "Worst", "Median", "Best"


@dataclass(frozen=True)
class Plot:
    """A plot under its title.

    Attributes:
        title: What it shows.
        svg: The `<svg>` element.
    """

    title: str
    svg: str


@dataclass(frozen=True)
class Example:
    """A frame that stands for its case.

    Attributes:
        strip: Its pictures side by side as a JPEG file.
        caption: Case, frame and value.
        curve: The metric over the case's frames as an `<svg>` element; empty for a single picture.
    """

    strip: bytes
    caption: str
    curve: str


def write_report(
    evaluation: Evaluation,
    summary: Summary,
    results: Mapping[str, CaseResult],
    folder: Path,
    progress: Progress = NO_PROGRESS,
) -> None:
    """Write report.html; the cases that it shows are made again.

    Args:
        evaluation: What was evaluated.
        summary: What the run found.
        results: The measured cases by name.
        folder: The run's folder.
        progress: Follows the cases.

    Raises:
        OutputError: The file cannot be written.
        PackageError: matplotlib is missing.
    """
    ranking = next((name for name in RANKING if name in summary.means), None)
    tables = [tabulate_means(rows_of(summary)), tabulate_details(summary)]
    if summary.sets:
        tables.append(tabulate_sets(summary))
    tables += tabulate_following(summary)
    page = render_page(
        "fadm.evaluation.outputs",
        "report.html.j2",
        title=title_of(summary),
        description=describe(summary),
        tables=tables,
        notes=summary.notes,
        plots=_draw_plots(summary, results, ranking),
        order=_describe_strips(evaluation),
        columns=", ".join(("source", "driver", *evaluation.method.stages)),
        movements=draw_movements(evaluation, results, progress) if summary.following else {},
        ranks=_find_examples(evaluation, results, summary.stages[-1], ranking, progress) if ranking else {},
    )
    write_whole(folder / REPORT, page.encode())


def _draw_plots(summary: Summary, results: Mapping[str, CaseResult], ranking: str | None) -> list[Plot]:
    """What each stage changes, quality against time, and all cases by the metric of the ranking."""
    plots = []
    for stage in summary.stages[1:]:
        bars = _bars(summary, stage)
        if bars:
            title = f"{stage}: change in % against {baseline_of(stage, summary.stages)}"
            plots.append(Plot(title, draw_changes(bars)))
    curve = draw_stage_curve(summary, results)
    if curve:
        plots.append(Plot("Quality against time", curve))
    if ranking is not None:
        title = BY_NAME[ranking].title
        curves = {stage: sorted(_case_means(results, stage, ranking).values()) for stage in summary.stages}
        plots.append(Plot(f"All cases by {title}, sorted", draw_curves(_number(curves, first=1), "case", title)))
    return plots


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


def _number(curves: Mapping[str, Sequence[float]], first: int) -> dict[str, list[tuple[float, float]]]:
    """Curves over 1, 2, 3, ..., or another first number."""
    return {title: [(float(x), y) for x, y in enumerate(values, first)] for title, values in curves.items()}


def _describe_strips(evaluation: Evaluation) -> str:
    """The pictures of a strip in their order."""
    order = ", ".join(("source", "driver", *evaluation.method.stages))
    has_difference = evaluation.pairs.has_truth
    return order + (", and four times the difference of the last one to the driver" if has_difference else "")


def _find_examples(
    evaluation: Evaluation, results: Mapping[str, CaseResult], stage: str, name: str, progress: Progress
) -> dict[str, list[Example]]:
    """The worst, median and best cases of a stage by a metric, under their titles."""
    better = BY_NAME[name].better
    means = _case_means(results, stage, name)
    ranked = sorted(means, key=lambda case: (-better * means[case], case))  # best first
    middle = max(0, (len(ranked) - PER_RANK) // 2)
    ranks = {WORST: ranked[::-1][:PER_RANK], MEDIAN: ranked[middle:][:PER_RANK], BEST: ranked[:PER_RANK]}
    wanted = {case for cases in ranks.values() for case in cases}
    cases = [case for case in evaluation.pairs.cases if case.name in wanted]
    progress.stage("report", len(cases))
    examples: dict[tuple[str, str], Example] = {}
    for case, made in predict_cases(evaluation, cases):
        progress.advance()
        values = results[case.name].values[stage][name]
        curve = _draw_frames(results[case.name], name)
        for rank, names in ranks.items():
            if case.name in names:
                frame = _choose_frame([better * value for value in values], rank)
                caption = f"{case.name}, frame {case.driving_frames[frame]}: {values[frame]:.4g}"
                examples[rank, case.name] = Example(_draw_strip(evaluation, case, made, frame), caption, curve)
    title = BY_NAME[name].title
    return {f"{rank} by {title}": [examples[rank, case] for case in names] for rank, names in ranks.items()}


def _draw_frames(result: CaseResult, name: str) -> str:
    """A metric over the frames of one video, by stage; empty for a single picture."""
    curves = {stage: values[name] for stage, values in result.values.items()}
    if max(map(len, curves.values())) < 2:
        return ""
    return draw_curves(_number(curves, first=0), f"frame of {result.case}", BY_NAME[name].title)


def _choose_frame(goodness: Sequence[float], rank: str) -> int:
    """Number of the frame of a case that stands for its rank."""
    order = [index for index in np.argsort(goodness, kind="stable").tolist() if not np.isnan(goodness[index])]
    return int({WORST: order[0], MEDIAN: order[len(order) // 2], BEST: order[-1]}[rank])


def _draw_strip(evaluation: Evaluation, case: Case, made: Prediction, frame: int) -> bytes:
    """Source, driver, every stage's picture and the difference side by side as a JPEG file."""
    frames = evaluation.frames
    source = frames.features(case.source_clip, case.source_frame).pixels
    driver = frames.features(case.driving_clip, case.driving_frames[frame]).pixels
    pictures = [source, driver, *(made.pictures[stage][frame] for stage in evaluation.method.stages)]
    if evaluation.pairs.has_truth:
        difference = 4 * np.abs(pictures[-1].astype(np.int16) - driver)
        pictures.append(np.clip(difference, 0, 255).astype(np.uint8))
    row = [resize_pixels(p, round(STRIP_SIDE * p.shape[1] / len(p)), STRIP_SIDE) for p in pictures]
    return pack_jpeg(np.concatenate(row, axis=1))
