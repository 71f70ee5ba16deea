"""Summary of a preparation: what was kept, what was dropped and why."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

MOST_LISTED = 10  # unreadable files that the table names


@dataclass
class PreparationSummary:
    """Counts of recordings, clips and seconds of video.

    Attributes:
        videos: Recordings that were read, or could not be.
        seconds: Their duration.
        clips: Clips that are kept.
        frames: Their frames.
        identities: Their identities.
        seconds_kept: Their duration.
        dropped: Number of dropped clips, by reason.
        unreadable: Why a recording could not be read, by file.
        shards: Names of the shards.
        dropped_clips: Key, reason and detail of each dropped clip.
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
    def from_results(cls, results: Iterable[Mapping[str, Any]]) -> Self:
        """Count clips.

        Args:
            results: The recordings' notes, as `fadm.data.prepare.samples.pack_results` stores them.

        Returns:
            The summary, without names of shards.
        """
        summary, identities = cls(), set()
        for result in results:
            summary.videos += 1
            summary.seconds += result["seconds"]
            if result["problem"]:
                summary.unreadable[result["file"]] = result["problem"]
            for note in result["notes"]:
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
        """Read a summary.

        Args:
            values: The content of `summary.json`.

        Returns:
            The summary.
        """
        return cls(**{f.name: values[f.name] for f in fields(cls)})

    def as_dict(self) -> dict[str, Any]:
        """Convert the summary to the values that JSON knows."""
        return asdict(self)

    def table(self) -> str:
        """Write a line for what was read, what was kept, each reason for dropping, and each unreadable file."""
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
        return "\n".join(f"{name:>10}  {count:>{width}}  {text}" for name, count, text in rows)
