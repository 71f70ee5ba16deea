"""A page that shows every clip as a strip of thumbnails, and for dropped clips the reason."""

from dataclasses import dataclass

from fadm.templates import render_page

MOST_ROWS = 500  # of the kept and of the dropped clips each; more are thinned out evenly


@dataclass(frozen=True)
class Row:
    """A clip on the page.

    Attributes:
        key: Name of the clip.
        said: Size, number of frames and duration, as text.
        strip: Its thumbnails side by side as a JPEG file; empty without any.
        reason: Why the clip was dropped; empty for one that is kept.
    """

    key: str
    said: str
    strip: bytes
    reason: str = ""


def draw_contact_sheet(rows: list[Row], table: str, num_clips: int) -> str:
    """Draw the page.

    Args:
        rows: The clips to show, in order.
        table: The summary of the preparation, as plain text.
        num_clips: Number of all clips, also of those that are not shown.

    Returns:
        HTML that needs no other file.
    """
    parts = {"Kept": [row for row in rows if not row.reason], "Dropped": [row for row in rows if row.reason]}
    return render_page(
        __package__, "contact_sheet.html.j2", parts=parts, table=table, num_shown=len(rows), num_clips=num_clips
    )


def thin_out(indices: list[int]) -> set[int]:
    """Choose indices evenly.

    Args:
        indices: Numbers of clips.

    Returns:
        At most MOST_ROWS of them.
    """
    step = max(1.0, len(indices) / MOST_ROWS)
    return {indices[int(i * step)] for i in range(min(len(indices), MOST_ROWS))}
