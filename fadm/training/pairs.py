"""Read the data of a recipe: clips, and the pairs of frames that a renderer is trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from fadm.data.datasets import RendererSamples
from fadm.data.pairs.generators import make_pair_generator
from fadm.data.pairs.stills import ClipMotions, StillPairGenerator, read_clip_motions
from fadm.data.pairs.store import CoarsePairs, build_coarse_pairs
from fadm.data.shards import TrackedClip, find_shards, read_tracked_clips
from fadm.data.synthetic.clips import SyntheticOptions, write_synthetic_shards
from fadm.errors import InputError
from fadm.training.options import CoarseOptions, DataOptions

Report = Callable[[str, int, int], None]  # name of the work, number done, total


@dataclass(frozen=True)
class RendererPairs:
    """Pairs of some people.

    Attributes:
        videos: Pairs of frames of videos.
        stills: Pairs of stills; None where there are none.
    """

    videos: CoarsePairs
    stills: CoarsePairs | None

    @property
    def clips(self) -> list[TrackedClip]:
        """The samples of the shards that pairs were made of."""
        return [*self.videos.clips, *(self.stills.clips if self.stills else ())]

    def samples(
        self, kind: type[RendererSamples], seed: int, stills_share: float, *, is_jittered: bool
    ) -> RendererSamples:
        """Give the samples of training or validation.

        Args:
            kind: What a sample shows: whole frames, or their parts (`PartSamples`).
            seed: Of all draws.
            stills_share: Share of the samples that are of stills, where there are any.
            is_jittered: Whether colours are jittered.

        Returns:
            The samples.
        """
        return kind(self.videos, seed, stills=self.stills, stills_share=stills_share, is_jittered=is_jittered)


def read_pairs(
    data: DataOptions, coarse: CoarseOptions, report: Report, layers: tuple[str, ...]
) -> tuple[RendererPairs, RendererPairs]:
    """Read pairs of the training identities and of the held-out ones; make those that are not in the cache.

    Args:
        data: The data.
        coarse: The coarse generator and its pairs.
        report: Called with the name of the work, the number done and the total.
        layers: What the renderer is given of a pair beside the frames: some of `person` and `landmarks`.

    Returns:
        Pairs for training and for validation.

    Raises:
        FadmError: Data or weights cannot be used.
    """
    train, held_out = read_clips(data, report, least_frames=1)
    motions = read_clip_motions([clip for clip in train if clip.is_video])
    few = replace(
        coarse.pairs,
        mirrored=False,
        augmented=0.0,
        sources_per_clip=coarse.validation_pairs_per_clip,
        drivings_per_source=1,
    )
    for_validation = replace(coarse, pairs=few, pairs_per_still=coarse.validation_pairs_per_clip)
    make = partial(_make_pairs, data, motions, report)
    pairs = make("pairs", train, coarse, layers)
    return pairs, make("validation pairs", held_out, for_validation, (*layers, "confidence"))


def _make_pairs(
    data: DataOptions,
    motions: ClipMotions,
    report: Report,
    what: str,
    clips: Sequence[TrackedClip],
    coarse: CoarseOptions,
    layers: tuple[str, ...],
) -> RendererPairs:
    """Make the pairs of videos and stills that are not in the cache."""
    maker = make_pair_generator(coarse.generator, coarse.pairs.augmented, coarse.attributes, layers)
    folder, workers = Path(data.cache), max(1, data.workers)
    options = replace(coarse.pairs, size=data.size)
    videos, stills = ([clip for clip in clips if clip.is_video == wanted] for wanted in (True, False))
    of_videos = build_coarse_pairs(videos, options, maker, folder, workers=workers, report=partial(report, what))
    if not stills or not coarse.stills_share:
        return RendererPairs(of_videos, None)
    mover = StillPairGenerator(maker, motions, data.size)
    options = replace(options, sources_per_clip=coarse.pairs_per_still, drivings_per_source=1)
    told = partial(report, f"{what} of stills")
    return RendererPairs(of_videos, build_coarse_pairs(stills, options, mover, folder, workers=workers, report=told))


def read_clips(data: DataOptions, report: Report, *, least_frames: int) -> tuple[list[TrackedClip], list[TrackedClip]]:
    """Read the clips of the training identities and of the held-out ones; synthetic clips where none are given.

    Args:
        data: The data.
        report: Called with the name of the work, the number done and the total.
        least_frames: Shorter clips are left out.

    Returns:
        Clips for training and for validation.

    Raises:
        InputError: Shards cannot be read, hold no such clips, or share identities.
    """
    if not data.shards:
        report("synthetic faces", 0, 1)
        folder = Path(data.cache) / f"synthetic-{data.size}"
        folder.mkdir(parents=True, exist_ok=True)
        shards, validation = write_synthetic_shards(folder, SyntheticOptions(size=data.size))
    elif not data.validation:
        raise InputError(
            "data.shards are given but no data.validation; give shards of held-out identities for validation"
        )
    else:
        shards, validation = (find_shards([Path(p) for p in part]) for part in (data.shards, data.validation))
    train, held_out = (
        [
            clip
            for clip in read_tracked_clips(part)
            if len(clip.pictures) >= least_frames and data.tier in ("all", clip.info.get("tier"))
        ]
        for part in (shards, validation)
    )
    for name, part in (("shards", train), ("validation", held_out)):
        if not any(clip.is_video for clip in part):
            raise InputError(f"no videos of tier {data.tier!r} with at least 2 frames in data.{name}")
    both = {clip.identity for clip in train} & {clip.identity for clip in held_out}
    if both:
        raise InputError(f"data.validation and data.shards share identities, among them {min(both)}; keep them apart")
    return train, held_out
