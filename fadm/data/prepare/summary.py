"""What came of raw videos, in numbers and words: what was kept, what was dropped and why."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

MOST_LISTED = 10  # unreadable files that the table names


@dataclass
class PreparationSummary:
    """Counts of recordings, clips and seconds of video.

    dropped: clips by reason; unreadable: why, by file; dropped_clips: key, reason and detail of each.
    """

    videos: int = 0
    seconds: float = 0.0
    clips: int = 0
    frames: int = 0
    identities: int = 0
    seconds_kept: float = 0.0
    dropped: dict[str, int] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    shards: list[str] = field(default_factory=list)
    dropped_clips: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def from_outcomes(cls, outcomes: Iterable[Mapping[str, Any]]) -> Self:
        """Count what is told of each recording, see `fadm.data.prepare.samples.pack_outcomes`."""
        summary, identities = cls(), set()
        for outcome in outcomes:
            summary.videos += 1
            summary.seconds += outcome["seconds"]
            if outcome["problem"]:
                summary.unreadable[outcome["file"]] = outcome["problem"]
            for note in outcome["notes"]:
                if note["reason"]:
                    summary.dropped[note["reason"]] = summary.dropped.get(note["reason"], 0) + 1
                    summary.dropped_clips.append({name: note[name] for name in ("key", "reason", "detail")})
                else:
                    summary.clips += 1
                    summary.frames += note["frames"]
                    summary.seconds_kept += note["seconds"]
                    identities.add(note["identity"])
        summary.identities = len(identities)
        summary.seconds, summary.seconds_kept = round(summary.seconds, 3), round(summary.seconds_kept, 3)
        return summary

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Take a summary out of what `summary.json` holds."""
        return cls(**{f.name: values[f.name] for f in fields(cls)})

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON keeps it."""
        return asdict(self)

    def table(self) -> str:
        """A line for what was read, what was kept, each reason for dropping, and files that could not be read."""
        length = f" ({self.seconds:.0f} s of video)" if self.seconds else ""
        rows = [
            ("read", self.videos, f"recordings{length}"),
            ("kept", self.clips, f"clips with {self.frames} frames of {self.identities} identities"),
        ]
        rows += [
            ("dropped", count, reason) for reason, count in sorted(self.dropped.items(), key=lambda i: (-i[1], i[0]))
        ]
        rows += [("unreadable", 1, f"{file}: {why}") for file, why in list(self.unreadable.items())[:MOST_LISTED]]
        if len(self.unreadable) > MOST_LISTED:
            rows.append(("unreadable", len(self.unreadable) - MOST_LISTED, "more, named in summary.json"))
        width = max(len(str(count)) for _, count, _ in rows)
        return "\n".join(f"{name:>10}  {count:>{width}}  {said}" for name, count, said in rows)
