"""Pair lists: cases of source and driving frames drawn from clips, in a file without paths.

Random pairs of one clip are the same-identity protocol of FADM (arXiv 2304.03199, section 4); reconstruction from
the first frame is FOMM's (arXiv 2003.00196, section 4); cross-identity transfers one person's motion to another.
"""

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from fadm.data.shards import TrackedClip
from fadm.errors import InputError, OptionError
from fadm.evaluation.options import DEFAULT_COUNT, PROTOCOLS, TWO_FOLDERS, VIDEO_PROTOCOLS, DrawOptions
from fadm.files import write_whole

FORMAT = "fadm pairs 1"
LEAST_FRAMES = {"random-pairs": 2, "reconstruction": 2, "cross-identity": 1, TWO_FOLDERS: 1}
MOST_LISTED = 3


@dataclass(frozen=True)
class Case:
    """One source frame and the frames that drive it; frames are numbered within their clip, from 0.

    Attributes:
        name: Name of the case's result as a file or folder.
        source_clip: Key of the source's clip.
        source_frame: Number of the source frame.
        driving_clip: Key of the driver's clip.
        driving_frames: Numbers of the driving frames.
    """

    name: str
    source_clip: str
    source_frame: int
    driving_clip: str
    driving_frames: tuple[int, ...]


@dataclass(frozen=True)
class PairList:
    """The cases of one protocol.

    Attributes:
        protocol: Name of the protocol.
        seed: Seed of the draw.
        cases: The cases.
        left_out: Number of clips with too few frames.
    """

    protocol: str
    seed: int
    cases: tuple[Case, ...]
    left_out: int = 0

    @property
    def is_video(self) -> bool:
        """Whether a case is a video and not a single picture."""
        return self.protocol in VIDEO_PROTOCOLS

    @property
    def has_truth(self) -> bool:
        """Whether the driving frames are the ground truth of the result."""
        return self.protocol != "cross-identity"

    @property
    def has_motion(self) -> bool:
        """Whether a source clip is driven by several frames of one clip, so that a motion can be followed."""
        counts: Counter[tuple[str, str]] = Counter()
        for case in self.cases:
            counts[case.source_clip, case.driving_clip] += len(case.driving_frames)
        return max(counts.values(), default=0) >= 2

    @property
    def num_frames(self) -> int:
        """Number of driving frames of all cases."""
        return sum(len(case.driving_frames) for case in self.cases)

    @property
    def sha256(self) -> str:
        """Hash of the protocol and the cases."""
        return hashlib.sha256(json.dumps([self.protocol, _rows(self.cases)]).encode()).hexdigest()


def draw_pairs(clips: Sequence[TrackedClip], options: DrawOptions) -> PairList:
    """Draw a protocol's cases; the order of the clips does not matter.

    Random pairs of two different frames are spread evenly over the clips; a pair is repeated only when a clip has no
    other left. Cross-identity takes another person's first frame for each driving clip; single pictures drive only
    where there is no video.

    Args:
        clips: The clips.
        options: Protocol, number of pairs and seed.

    Returns:
        The pair list.

    Raises:
        InputError: No clip has enough frames, two have the same key, or cross-identity finds one person only.
    """
    least = LEAST_FRAMES[options.protocol]
    usable = sorted((clip for clip in clips if len(clip.pictures) >= least), key=lambda clip: clip.key)
    if not usable:
        raise InputError(
            f"{options.protocol} needs clips of {least} frames with pictures, and none of the {len(clips)} is one; "
            "give other shards"
        )
    repeated = {a.key for a, b in pairwise(usable) if a.key == b.key}
    if repeated:
        raise InputError(f"clips have the same key: {', '.join(sorted(repeated)[:MOST_LISTED])}; give each shard once")
    draw = {"random-pairs": _draw_random, "cross-identity": _draw_others}.get(options.protocol, _draw_first)
    return PairList(options.protocol, options.seed, tuple(draw(usable, options)), len(clips) - len(usable))


def _draw_random(clips: list[TrackedClip], options: DrawOptions) -> list[Case]:
    count = options.count or DEFAULT_COUNT
    order = np.random.default_rng(options.seed).permutation(len(clips))
    shares = {clips[place].key: count // len(clips) + (rank < count % len(clips)) for rank, place in enumerate(order)}
    drawn = []
    for clip in clips:
        draws = np.random.default_rng((options.seed, zlib.crc32(clip.key.encode())))
        num, share = len(clip.pictures), shares[clip.key]
        rounds = [draws.permutation(num * (num - 1)) for _ in range(-(-share // (num * (num - 1))))]
        for number in np.concatenate(rounds)[:share].tolist() if rounds else ():
            source, other = divmod(number, num - 1)
            drawn.append((clip.key, source, clip.key, (other + (other >= source),)))
    digits = len(str(len(drawn) - 1))
    return [Case(f"{index:0{max(5, digits)}d}", *row) for index, row in enumerate(drawn)]


def _draw_first(clips: list[TrackedClip], options: DrawOptions) -> list[Case]:
    draws = np.random.default_rng(options.seed)
    count = min(options.count or len(clips), len(clips))
    chosen = sorted(draws.permutation(len(clips))[:count].tolist())
    return [Case(_plain(clips[i].key), clips[i].key, 0, clips[i].key, _all_frames(clips[i])) for i in chosen]


def _draw_others(clips: list[TrackedClip], options: DrawOptions) -> list[Case]:
    if len({clip.identity for clip in clips}) < 2:
        raise InputError("cross-identity needs clips of two people or more; the shards show one")
    draws = np.random.default_rng(options.seed)
    drivers = [clip for clip in clips if len(clip.pictures) >= 2] or clips
    order, cases = draws.permutation(len(drivers)).tolist(), []
    for number in range(options.count or len(drivers)):
        driver = drivers[order[number % len(drivers)]]
        others = [clip for clip in clips if clip.identity != driver.identity]
        source = others[int(draws.integers(len(others)))]
        name = f"{number:05d}-{_plain(source.key)}--{_plain(driver.key)}"
        cases.append(Case(name, source.key, 0, driver.key, _all_frames(driver)))
    return cases


def _all_frames(clip: TrackedClip) -> tuple[int, ...]:
    return tuple(range(len(clip.pictures)))


def _plain(key: str) -> str:
    """Turn a key into the name of one file."""
    return key.replace("/", "__")


def write_pairs(pairs: PairList, path: Path) -> None:
    """Write a pair list as JSON.

    Args:
        pairs: The pair list.
        path: The file.

    Raises:
        OutputError: The file cannot be written.
    """
    content = {
        "format": FORMAT,
        "protocol": pairs.protocol,
        "seed": pairs.seed,
        "sha256": pairs.sha256,
        "left_out": pairs.left_out,
        "columns": ["name", "source clip", "source frame", "driving clip", "driving frames"],
    }
    head = json.dumps(content, indent=1)[:-2]
    rows = ",\n  ".join(json.dumps(row) for row in _rows(pairs.cases))
    write_whole(path, f'{head},\n "cases": [\n  {rows}\n ]\n}}\n'.encode())


def read_pairs(path: Path) -> PairList:
    """Read a pair list.

    Args:
        path: The file.

    Returns:
        The pair list.

    Raises:
        InputError: The file is no pair list, or its hash does not match its cases.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        pairs = _parse(content)
    except OSError as error:
        raise InputError(f"the pair list '{path}' cannot be read: {error.strerror}; check its name") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"'{path}' is no pair list ({error}); `fadm eval pairs` writes one") from error
    if pairs.sha256 != content.get("sha256"):
        raise InputError(f"the pair list '{path}' was changed: its cases do not have its hash; draw it again")
    return pairs


def _parse(content: Any) -> PairList:
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("protocol") not in PROTOCOLS:
        raise ValueError(f"its format is not {FORMAT!r}")
    cases = [Case(str(n), str(s), int(i), str(d), tuple(map(int, f))) for n, s, i, d, f in content["cases"]]
    if not all(case.driving_frames and Path(case.name).name == case.name for case in cases):
        raise ValueError("a case has no driving frame, or a name that is no file's")
    return PairList(content["protocol"], int(content["seed"]), tuple(cases), int(content["left_out"]))


def check_pairs(pairs: PairList, clips: Sequence[TrackedClip]) -> None:
    """Check that every clip and frame of a pair list exists.

    Args:
        pairs: The pair list.
        clips: The clips.

    Raises:
        OptionError: A clip is missing or has too few frames.
    """
    lengths = {clip.key: len(clip.pictures) for clip in clips}
    wanted = {(case.source_clip, case.source_frame) for case in pairs.cases}
    wanted |= {(case.driving_clip, max(case.driving_frames)) for case in pairs.cases}
    absent = sorted({clip for clip, frame in wanted if frame >= lengths.get(clip, 0)})
    if absent:
        raise OptionError(
            f"{len(absent)} clips of the pair list are not in --data, or have fewer frames there "
            f"({', '.join(absent[:MOST_LISTED])}); give the shards that the pairs were drawn from"
        )


def _rows(cases: Sequence[Case]) -> list[list[Any]]:
    return [
        [case.name, case.source_clip, case.source_frame, case.driving_clip, list(case.driving_frames)] for case in cases
    ]
