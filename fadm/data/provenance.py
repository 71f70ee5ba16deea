"""What a weights file says about its training data."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fadm.data.shards import TrackedClip
from fadm.weights.registry import describe_weights

OPEN = "Apache-2.0"


def describe_clips(clips: Sequence[TrackedClip], weights: Sequence[str] = ()) -> dict[str, str]:
    """Describe training data for the metadata of weights.

    Args:
        clips: The training clips.
        weights: Names or files of other weights that took part: as a start, a teacher, a coarse generator.

    Returns:
        `trained_on` (number of clips and identities), `tiers` (number of clips by the kind of their terms), `sources`
        (with their terms), the `licence` that follows, and whether it allows `commercial` use: `true` or `false`.

    Raises:
        WeightsError: Weights are unknown or cannot be read.
    """
    described = {name: describe_weights(name) for name in weights}
    has_open_data = all(clip.info.get("tier") == "open" for clip in clips)
    is_open = has_open_data and all(other.allows_commercial for other in described.values())
    tiers = Counter(str(clip.info.get("tier", "not stated")) for clip in clips)
    sources = sorted({f"{clip.info.get('source', '?')}: {clip.info.get('terms', '?')}" for clip in clips})
    sources += [f"weights {Path(name).stem}: {other.licence}" for name, other in described.items()]
    return {
        "trained_on": f"{len(clips)} clips of {len({clip.identity for clip in clips})} people",
        "tiers": ", ".join(f"{tier}: {number}" for tier, number in sorted(tiers.items())),
        "sources": "; ".join(sources),
        "licence": OPEN if is_open else "research and non-commercial use",
        "commercial": "true" if is_open else "false",
    }
