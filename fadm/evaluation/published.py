"""Published figures, shown only on request and marked as not comparable with ours."""

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
    """A method's published figures.

    Attributes:
        method: Name of the method.
        setting: Data set and protocol.
        source: Paper and table.
        figures: Figures by the paper's names of metrics, with the paper's digits.
    """

    method: str
    setting: str
    source: str
    figures: dict[str, str]


def read_published() -> list[PublishedRow]:
    """Read all published rows of the package."""
    text = (files("fadm.evaluation") / "published.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text, parse_float=Decimal)["row"]
    return [PublishedRow(**row | {"figures": {k: str(v) for k, v in row["figures"].items()}}) for row in rows]


def published_table(*, is_cross_identity: bool) -> list[str]:
    """Write the rows of one kind of protocol as Markdown, under their warning.

    Args:
        is_cross_identity: Whether the cross-identity rows are meant, else the same-identity ones.

    Returns:
        Lines.
    """
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
