"""Figures that papers print, shown beside ours only when asked for, and never as if they could be compared."""

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files

WARNING = (
    "Published figures, not comparable with the rows above: other data, and for AKD, AED, CSIM and FID other "
    "networks; see docs/evaluation.md."
)


@dataclass(frozen=True)
class PublishedRow:
    """A method's figures by the paper's names, written with the paper's digits."""

    method: str
    setting: str
    source: str
    figures: dict[str, str]


def read_published() -> list[PublishedRow]:
    """Every row that the package knows."""
    text = (files("fadm.evaluation") / "published.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text, parse_float=Decimal)["row"]
    return [PublishedRow(**row | {"figures": {k: str(v) for k, v in row["figures"].items()}}) for row in rows]


def published_table(*, is_cross_identity: bool) -> list[str]:
    """The rows of one kind of protocol as Markdown, under their warning."""
    rows = [row for row in read_published() if ("cross" in row.setting) == is_cross_identity]
    names = list(dict.fromkeys(name for row in rows for name in row.figures))
    lines = [
        WARNING,
        "",
        f"| published | setting | {' | '.join(names)} | source |",
        f"|---|---{'|---' * len(names)}|---|",
    ]
    for row in rows:
        cells = [row.figures.get(name, "-") for name in names]
        lines.append(f"| {row.method} | {row.setting} | {' | '.join(cells)} | {row.source} |")
    return lines
