"""Tables of expression following: gain and correlation of each movement, and of each blendshape coefficient."""

from collections.abc import Sequence

from fadm.evaluation.following import Following
from fadm.evaluation.outputs.formats import Cell, Table, format_markdown, show_interval
from fadm.evaluation.statistics import Summary
from fadm.metrics.following import COEFFICIENTS, MOVEMENTS, Movement

DIGITS = 2
CAPTION = (
    "Expression following: the result's movement against the driver's, each from its clip's mean. A gain of 1 is as "
    "strong as the driver; the driver's extent is the root mean square of its movement, so a small one says little."
)


def following_tables(summary: Summary) -> list[str]:
    """Write both tables as Markdown.

    Args:
        summary: The run.

    Returns:
        Lines, the first one empty; none where nothing was measured.
    """
    if not summary.following:
        return []
    return [line for table in tabulate_following(summary) for line in ("", *format_markdown(table))]


def tabulate_following(summary: Summary) -> list[Table]:
    """Tabulate the movements, then the single coefficients.

    Args:
        summary: The run.

    Returns:
        For each movement the driver's extent and each stage's gain and correlation with intervals; of the movements,
        each stage but the first also has what it changes. No table where nothing was measured.
    """
    if not summary.following:
        return []
    tables = [_tabulate("movement", MOVEMENTS, summary, CAPTION), _tabulate("coefficient", COEFFICIENTS, summary, "")]
    return [table for table in tables if table.rows]


def _tabulate(head: str, movements: Sequence[Movement], summary: Summary, caption: str) -> Table:
    measured = [(m, summary.following[m.name]) for m in movements if m.name in summary.following]
    heads, baselines = [head, "driver's extent"], {}
    for stage in summary.stages:
        changes = (by[stage].change for _, by in measured if stage in by)
        baselines[stage] = next((change.against for change in changes if change is not None), "")
        heads += [f"{stage}: gain", "correlation"]
        if baselines[stage]:
            heads += [f"gain against {baselines[stage]}", f"correlation against {baselines[stage]}"]
    rows = []
    for movement, by_stage in measured:
        texts = [f"{next(iter(by_stage.values())).extent:.3g} {movement.unit}".rstrip()]
        for stage in summary.stages:
            texts += _show(by_stage.get(stage), is_compared=bool(baselines[stage]))
        rows.append((movement.title, [Cell(text) for text in texts]))
    return Table(heads, rows, caption)


def _show(following: Following | None, *, is_compared: bool) -> list[str]:
    """Gain and correlation, and of a stage that is compared their changes."""
    if following is None:
        return ["-"] * (4 if is_compared else 2)
    texts = [show_interval(following.gain, DIGITS), show_interval(following.correlation, DIGITS)]
    if is_compared and following.change is not None:
        change = following.change
        texts += [show_interval(interval, DIGITS, sign=True) for interval in (change.gain, change.correlation)]
    elif is_compared:
        texts += ["-", "-"]
    return texts
