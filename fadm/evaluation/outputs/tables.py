"""A run's numbers for readers: tables in Markdown, and in LaTeX as papers print them."""

from collections.abc import Mapping, Sequence

from fadm.evaluation.measures import BY_NAME
from fadm.evaluation.outputs.following import following_tables
from fadm.evaluation.outputs.formats import Cell, Table, format_latex, format_markdown, show, show_interval
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

Row = tuple[str, Mapping[str, Interval]]  # title of a method or stage, its means by metric


def write_markdown(summary: Summary) -> str:
    """Write a run as Markdown: the papers' table, every metric with its interval and change, and notes.

    Args:
        summary: The run.

    Returns:
        The page, which ends with a line break.
    """
    lines = [f"# {title_of(summary)}", "", describe(summary), "", *paper_table(rows_of(summary))]
    lines += ["", *detail_table(summary)]
    if summary.sets:
        lines += ["", *set_table(summary)]
    lines += following_tables(summary)
    if summary.notes:
        lines += ["", "Notes:", *(f"- {note}" for note in summary.notes)]
    return "\n".join(lines) + "\n"


def title_of(summary: Summary) -> str:
    """Name a run.

    Args:
        summary: The run.

    Returns:
        Its method and protocol.
    """
    return f"{summary.manifest['method']}: {summary.manifest['protocol']}"


def describe(summary: Summary) -> str:
    """Describe what a run measured, and how to read its intervals.

    Args:
        summary: The run.

    Returns:
        A paragraph.
    """
    manifest = summary.manifest
    clips = max((i.num_groups for by in summary.means.values() for i in by.values()), default=0)
    counts = ", ".join(f"{stage} {count}" for stage, count in summary.made.items())
    text = (
        f"{summary.num_cases} cases, {summary.num_frames} frames, {clips} driving clips; "
        f"pairs {manifest['pairs'][:12]}, data {manifest['data'][:12]}. "
        f"Frames made: {counts}. In brackets: 95 % intervals from resampling whole clips."
    )
    if clips == 1:
        text += " A single clip has none."
    if manifest["protocol"] == "cross-identity":
        text += " No frame shows the truth: identity is compared with the source, expression and pose with the driver."
    return text


def rows_of(summary: Summary) -> list[Row]:
    """Collect the means of each stage.

    Args:
        summary: The run.

    Returns:
        A row for each stage.
    """
    return [(stage, {name: by[stage] for name, by in summary.means.items() if stage in by}) for stage in summary.stages]


def paper_table(rows: Sequence[Row]) -> list[str]:
    """Write the table of `tabulate_means` as Markdown.

    Args:
        rows: See there.

    Returns:
        Lines; none where none of the papers' metrics was measured.
    """
    return format_markdown(tabulate_means(rows))


def detail_table(summary: Summary) -> list[str]:
    """Write the table of `tabulate_details` as Markdown.

    Args:
        summary: The run.

    Returns:
        Lines.
    """
    return format_markdown(tabulate_details(summary))


def set_table(summary: Summary) -> list[str]:
    """Write the table of `tabulate_sets` as Markdown.

    Args:
        summary: The run.

    Returns:
        Lines.
    """
    return format_markdown(tabulate_sets(summary))


def write_latex(rows: Sequence[Row]) -> str:
    """Write the table of `tabulate_means` as LaTeX, below each row its 95 % intervals.

    Args:
        rows: See there.

    Returns:
        A `tabular` environment that needs booktabs.
    """
    return format_latex(tabulate_means(rows))


def tabulate_means(rows: Sequence[Row]) -> Table:
    """Tabulate methods by the metrics that papers print.

    Args:
        rows: Titles of methods or stages, each with its means by metric.

    Returns:
        A column for each of the papers' metrics that a row has.
    """
    names = [name for name in PAPER_METRICS if any(name in means for _, means in rows)]
    cells = [(title, [_mean_cell(name, means, rows) for name in names]) for title, means in rows]
    return Table(["", *map(_head_of, names)], cells)


def _mean_cell(name: str, means: Mapping[str, Interval], rows: Sequence[Row]) -> Cell:
    if name not in means:
        return Cell("-")
    mean, digits = means[name], BY_NAME[name].digits
    written = show(mean.estimate, digits)
    others = {float(show(m[name].estimate, digits)) for _, m in rows if name in m}
    best = max(others) if BY_NAME[name].better > 0 else min(others)
    interval = f"[{show(mean.low, digits)}, {show(mean.high, digits)}]" if mean.num_groups > 1 else ""
    return Cell(written, len(others) > 1 and float(written) == best, interval)


def tabulate_details(summary: Summary) -> Table:
    """Tabulate every metric with its interval.

    Args:
        summary: The run.

    Returns:
        A row for each metric; each stage but the first has a second column, its change against its baseline.
    """
    heads = ["metric", summary.stages[0]]
    for stage in summary.stages[1:]:
        against = {change[stage].against for change in summary.changes.values() if stage in change}
        heads += [stage, f"against {against.pop() if against else summary.stages[0]}"]
    rows = []
    for name, by_stage in summary.means.items():
        texts = []
        for stage in summary.stages:
            texts.append(show_interval(by_stage.get(stage), BY_NAME[name].digits))
            if stage != summary.stages[0]:
                texts.append(show_change(summary, name, stage))
        rows.append((_head_of(name), list(map(Cell, texts))))
    return Table(heads, rows)


def tabulate_sets(summary: Summary) -> Table:
    """Tabulate distances of whole sets of pictures from the reference set.

    Args:
        summary: The run.

    Returns:
        A row for each distance and a column for each stage; the caption names the reference set.
    """
    real = "source's clips" if summary.manifest["protocol"] == "cross-identity" else "driving frames"
    rows = [
        (f"{SET_TITLES[name]} ↓", [Cell(show(by[stage], 4) if stage in by else "-") for stage in summary.stages])
        for name, by in summary.sets.items()
    ]
    caption = f"Sets of pictures against {summary.set_size} real ones (the {real}); compare only with as many."
    return Table(["set", *summary.stages], rows, caption)


def _head_of(name: str) -> str:
    """Title of a metric with an arrow towards better."""
    return BY_NAME[name].title + ARROWS[BY_NAME[name].better]


def show_change(summary: Summary, name: str, stage: str) -> str:
    """Show what a stage changes.

    Args:
        summary: The run.
        name: The metric.
        stage: The stage.

    Returns:
        The change in percent with its interval, or the difference where the baseline is zero; "-" without any.
    """
    change = summary.changes.get(name, {}).get(stage)
    if change is None:
        return "-"
    if change.percent is not None:
        return show_interval(change.percent, 1, sign=True, unit=" %")
    return show_interval(change.difference, BY_NAME[name].digits, sign=True)
