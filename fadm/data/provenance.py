"""What weights say of the data that they were learned from."""

from collections.abc import Sequence

from fadm.data.shards import TrackedClip


def describe_clips(clips: Sequence[TrackedClip]) -> dict[str, str]:
    """For the weights' metadata: number of clips and people, sources and their terms, the licence that follows."""
    is_open = all(clip.info.get("tier") == "open" for clip in clips)
    sources = sorted({f"{clip.info.get('source', '?')}: {clip.info.get('terms', '?')}" for clip in clips})
    return {
        "trained_on": f"{len(clips)} clips of {len({clip.identity for clip in clips})} people",
        "sources": "; ".join(sources),
        "licence": "Apache-2.0" if is_open else "research and non-commercial use",
    }
