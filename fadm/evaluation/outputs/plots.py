"""Plots as SVG text: what a stage changes with its interval, sorted curves, and quality against time."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7a4e9c", "#b8860b", "#4a4a4a", "#008b8b", "#a0306a")
WIDTH, ROW, LEFT, RIGHT = 640, 22, 230, 90
CURVE_HEIGHT, PAD = 280, 48
GOOD, BAD, UNCLEAR = "#3a7d44", "#c8553d", "#8a8a8a"

Bar = tuple[str, float, float, float, int]  # title, estimate, low, high, and 1 where more is better, else -1


def draw_changes(bars: Sequence[Bar]) -> str:
    """Relative changes in percent as bars from zero with their intervals; grey where zero is inside."""
    extent = max([1.0, *(abs(number) for _, *numbers, _ in bars for number in numbers)])
    scale = (WIDTH - LEFT - RIGHT) / (2 * extent)
    middle, height = LEFT + extent * scale, ROW * len(bars) + 10
    parts = [f'<line x1="{middle:.1f}" y1="0" x2="{middle:.1f}" y2="{height}" stroke="#999"/>']
    for index, (title, estimate, low, high, better) in enumerate(bars):
        y = ROW * index + 5
        colour = UNCLEAR if low <= 0 <= high else (GOOD if estimate * better > 0 else BAD)
        left, width = middle + scale * min(0.0, estimate), scale * abs(estimate)
        parts.append(_text(LEFT - 8, y + 13, title, "end"))
        parts.append(f'<rect x="{left:.1f}" y="{y + 2}" width="{width:.1f}" height="{ROW - 8}" fill="{colour}"/>')
        ends = (middle + scale * low, middle + scale * high)
        parts.append(_line([(x, y + ROW / 2 - 2) for x in ends], "#222", 1.5))
        parts.append(_text(WIDTH - RIGHT + 12, y + 13, f"{estimate:+.1f} %"))
    return _frame(height, parts)


def draw_curves(curves: Mapping[str, Sequence[tuple[float, float]]], x_title: str, y_title: str) -> str:
    """Curves through points (x, y) over common axes, with a mark at each point of short ones."""
    points = np.array([point for curve in curves.values() for point in curve if np.isfinite(point).all()])
    if not len(points):
        return ""
    (x_low, y_low), (x_high, y_high) = points.min(0), points.max(0)
    x_span, y_span = (x_high - x_low) or 1.0, (y_high - y_low) or 1.0
    inner_width, inner_height = WIDTH - PAD - 170, CURVE_HEIGHT - 2 * PAD + 16

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x, y = (point[0] - x_low) / x_span, (point[1] - y_low) / y_span
        return PAD + 20 + inner_width * x, 16 + inner_height * (1 - y)

    bottom = 16 + inner_height
    parts = [_line([(PAD + 20, 16), (PAD + 20, bottom), (PAD + 20 + inner_width, bottom)], "#999", 1)]
    parts += [_text(PAD + 12, place((x_low, y))[1] + 4, f"{y:.4g}", "end") for y in (y_low, y_high)]
    parts += [_text(place((x, y_low))[0], bottom + 18, f"{x:.4g}", "middle") for x in (x_low, x_high)]
    parts.append(_text(PAD + 20 + inner_width / 2, bottom + 34, x_title, "middle"))
    parts.append(_text(4, 11, y_title))
    for index, (title, curve) in enumerate(curves.items()):
        colour = COLOURS[index % len(COLOURS)]
        shown = [place(point) for point in curve if np.isfinite(point).all()]
        parts.append(_line(shown, colour, 1.8))
        if len(shown) <= 16:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in shown]
        y = 26 + 18 * index
        parts.append(f'<rect x="{WIDTH - 140}" y="{y - 9}" width="12" height="10" fill="{colour}"/>')
        parts.append(_text(WIDTH - 122, y, title))
    return _frame(CURVE_HEIGHT, parts)


def _frame(height: int, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
    return head + 'font-family="sans-serif" font-size="12">' + "".join(parts) + "</svg>"


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(points: Sequence[tuple[float, float]], colour: str, width: float) -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
