"""A table of text, how Markdown and LaTeX write one, and how its numbers are shown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fadm.metrics.bootstrap import Interval

LATEX_SPELLINGS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    **{character: rf"\{character}" for character in "%&_#${}"},
}


@dataclass(frozen=True)
class Cell:
    """A number of a table.

    Attributes:
        text: The number, "-" where there is none.
        is_best: No other number of its column is better, and some are worse.
        interval: Its 95 % interval in brackets, where the format has room for one; else empty.
    """

    text: str
    is_best: bool = False
    interval: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under heads.

    Attributes:
        heads: A text for each column; the first column holds the rows' titles.
        rows: The title of each row and its cells, one for each further column.
        caption: What to know before reading it; may be empty.
    """

    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    caption: str = ""


def format_markdown(table: Table) -> list[str]:
    """Write a table as Markdown, the best numbers bold.

    Args:
        table: The table.

    Returns:
        Lines; none for a table without columns beside the titles.
    """
    if len(table.heads) < 2:
        return []
    lines = [table.caption, ""] if table.caption else []
    lines += [f"|{''.join(f' {head} |' if head else ' |' for head in table.heads)}", "|---" * len(table.heads) + "|"]
    for title, cells in table.rows:
        texts = [f"**{cell.text}**" if cell.is_best else cell.text for cell in cells]
        lines.append(f"| {' | '.join([title, *texts])} |")
    return lines


def format_latex(table: Table) -> str:
    """Write a table as LaTeX with booktabs, the best numbers bold, and below each row its intervals.

    Args:
        table: The table.

    Returns:
        A `tabular` environment.
    """
    heads = [_escape(head) for head in (table.heads[0] or "Method", *table.heads[1:])]
    lines = [rf"\begin{{tabular}}{{l{'c' * (len(heads) - 1)}}}", r"\toprule", " & ".join(heads) + r" \\", r"\midrule"]
    for title, cells in table.rows:
        texts = [rf"\textbf{{{cell.text}}}" if cell.is_best else cell.text for cell in cells]
        intervals = [rf"{{\scriptsize {cell.interval}}}" if cell.interval else "" for cell in cells]
        lines += [" & ".join([_escape(title), *texts]) + r" \\", " & ".join(["", *intervals]) + r" \\"]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def show_interval(interval: Interval | None, digits: int, *, sign: bool = False, unit: str = "") -> str:
    """Show an estimate and its interval.

    Args:
        interval: The estimate; None where nothing was measured.
        digits: How many, behind the point.
        sign: Whether positive numbers have one.
        unit: What follows the estimate.

    Returns:
        "estimate [low, high]"; the estimate alone where a single clip says nothing about others.
    """
    if interval is None:
        return "-"
    if interval.num_groups < 2:
        return show(interval.estimate, digits, sign=sign) + unit
    numbers = [show(n, digits, sign=sign) for n in (interval.estimate, interval.low, interval.high)]
    return f"{numbers[0]}{unit} [{numbers[1]}, {numbers[2]}]"


def show(number: float, digits: int, *, sign: bool = False) -> str:
    """Show a number.

    Args:
        number: The number.
        digits: How many, behind the point.
        sign: Whether a positive number has one.

    Returns:
        The number; without a sign where only zeros are left.
    """
    written = f"{number:{'+' if sign else ''}.{digits}f}"
    return written.lstrip("+-") if math.isfinite(number) and float(written) == 0 else written


def _escape(text: str) -> str:
    return "".join(LATEX_SPELLINGS.get(character, character) for character in text)
