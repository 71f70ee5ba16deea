"""One page that shows every clip as a strip of thumbnails, and the dropped ones with the reason."""

import base64
from dataclasses import dataclass
from html import escape

MOST_ROWS = 500  # of the kept and of the dropped clips each; more are thinned out evenly

_STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem; background: #fff; color: #222; }
pre { background: #f4f4f4; padding: 1rem; overflow-x: auto; }
table { border-collapse: collapse; }
td { padding: 2px 12px 2px 0; vertical-align: middle; }
img { display: block; height: 64px; }
.note { border-left: 4px solid #b00; padding-left: 1rem; }
"""


@dataclass(frozen=True)
class Row:
    """A clip: key, what is said of it, its strip as a JPEG; reason is empty for one that is kept."""

    key: str
    said: str
    strip: bytes
    reason: str = ""


def draw_contact_sheet(rows: list[Row], table: str, num_clips: int) -> str:
    """HTML that needs no other file; num_clips: of how many clips these rows are."""
    kept, dropped = ([row for row in rows if bool(row.reason) is is_dropped] for is_dropped in (False, True))
    thinned = f"<p>{len(rows)} of {num_clips} clips are shown.</p>" if len(rows) < num_clips else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Prepared clips</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>Prepared clips</h1>\n"
        '<p class="note">This page shows people. Keep it where the videos may be kept, and do not publish it.</p>\n'
        f"<pre>{escape(table)}</pre>\n{thinned}\n{_draw_part('Kept', kept)}{_draw_part('Dropped', dropped)}"
        "</body></html>\n"
    )


def thin_out(indices: list[int]) -> set[int]:
    """At most MOST_ROWS of the indices, evenly."""
    step = max(1.0, len(indices) / MOST_ROWS)
    return {indices[int(i * step)] for i in range(min(len(indices), MOST_ROWS))}


def _draw_part(title: str, rows: list[Row]) -> str:
    if not rows:
        return ""
    lines = "\n".join(_draw_row(row) for row in rows)
    return f"<h2>{title}</h2>\n<table>\n{lines}\n</table>\n"


def _draw_row(row: Row) -> str:
    data = base64.b64encode(row.strip).decode()
    picture = f'<img alt="{escape(row.key)}" src="data:image/jpeg;base64,{data}">' if data else ""
    reason = f"<b>{escape(row.reason)}</b><br>" if row.reason else ""
    return f"<tr><td>{picture}</td><td>{reason}{escape(row.key)}<br>{escape(row.said)}</td></tr>"
