"""Plots of a run as SVG text: changes with their intervals, sorted curves, and quality against time."""

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from fadm.optional import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7a4e9c", "#b8860b", "#4a4a4a", "#008b8b", "#a0306a")
GOOD, BAD, UNCLEAR = "#3a7d44", "#c8553d", "#8a8a8a"
INCH = 96  # CSS pixels
WIDTH, CURVE_HEIGHT, ROW, MARGIN = 640, 280, 22, 36  # pixels; a row holds one bar, the margin the axis
MOST_MARKED = 16  # points of a curve, beyond which they have no marks

STYLE = {
    "axes.edgecolor": "#999999",
    "axes.prop_cycle": f"cycler('color', {COLOURS})",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9,
    "svg.fonttype": "none",  # text that can be searched and copied
    "svg.hashsalt": "fadm",  # or names within the file would differ from one run to the next
    "text.parse_math": False,  # a clip's name may hold dollar signs
    "xtick.color": "#444444",
    "ytick.color": "#444444",
}

Bar = tuple[str, float, float, float, int]  # title, estimate, low, high, and 1 where more is better, else -1


def draw_changes(bars: Sequence[Bar]) -> str:
    """Draw relative changes as bars from zero: green for better, red for worse, grey where zero is in the interval.

    Args:
        bars: For each metric its title, the estimate and the ends of its interval in percent, and 1 where more is
            better, -1 where less is.

    Returns:
        An `<svg>` element as text; the same bars give the same text.

    Raises:
        PackageError: matplotlib is missing.
    """
    titles, estimates, lows, highs, better = zip(*bars, strict=True)
    colours = [
        UNCLEAR if low <= 0 <= high else GOOD if estimate * sign > 0 else BAD
        for estimate, low, high, sign in zip(estimates, lows, highs, better, strict=True)
    ]
    rows = np.arange(len(bars))
    with _figure(ROW * len(bars) + MARGIN) as (figure, axes):
        axes.barh(rows, estimates, height=0.65, color=colours)
        axes.hlines(rows, lows, highs, color="#222222", linewidth=1.2)
        axes.axvline(0, color="#999999", linewidth=0.8)
        axes.set_yticks(rows, titles)
        axes.set_ylim(len(bars) - 0.5, -0.5)  # the first on top
        axes.tick_params(axis="y", length=0)
        axes.margins(x=0.02)
        right_of_axes = axes.get_yaxis_transform()
        for row, estimate in zip(rows, estimates, strict=True):
            axes.text(1.02, float(row), f"{estimate:+.1f} %", transform=right_of_axes, va="center_baseline")
        return _write_svg(figure)


def draw_curves(curves: Mapping[str, Sequence[tuple[float, float]]], x_title: str, y_title: str) -> str:
    """Draw curves over common axes; short ones have a mark at each point.

    Args:
        curves: Points (x, y) of each curve by its title; points that are not finite are left out.
        x_title: What x is.
        y_title: What y is.

    Returns:
        An `<svg>` element as text, the same for the same curves; empty where no point is finite.

    Raises:
        PackageError: matplotlib is missing.
    """
    finite = {title: [point for point in curve if np.isfinite(point).all()] for title, curve in curves.items()}
    points = [point for curve in finite.values() for point in curve]
    if not points:
        return ""
    with _figure(CURVE_HEIGHT) as (figure, axes):
        for title, curve in finite.items():
            marker = "o" if len(curve) <= MOST_MARKED else ""
            axes.plot(*np.reshape(curve, (-1, 2)).T, label=title, linewidth=1.4, marker=marker, markersize=4.5)
        axes.set_xlabel(x_title)
        axes.set_ylabel(y_title)
        if all(x == round(x) for x, _ in points):
            axes.locator_params(axis="x", integer=True)  # no half frames
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        return _write_svg(figure)


@contextmanager
def _figure(height: float) -> Iterator[tuple["Figure", "Axes"]]:
    """An empty plot in our style, without pyplot's list of open figures; height in pixels."""
    matplotlib = require("matplotlib", package="matplotlib", purpose="a plot")
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # text is drawn by the reader's fonts, not by matplotlib's
        figure = Figure(figsize=(WIDTH / INCH, height / INCH), layout="constrained")
        yield figure, figure.subplots()


def _write_svg(figure: "Figure") -> str:
    """The figure's element, without the XML declaration that a page cannot hold."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = file.getvalue()
    return text[text.index("<svg") :]
