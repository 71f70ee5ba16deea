"""Options of data preparation, and the reasons why a clip is dropped. Imports nothing heavy."""

from dataclasses import dataclass
from fractions import Fraction

from fadm.errors import OptionError
from fadm.options import check_choice, check_range, option

LAYOUTS = ("auto", "videos", "voxceleb", "celeba", "frames")
TIERS = ("open", "research")

# Why a clip is dropped, as the summary says it.
TOO_SHORT = "too short"
TOO_SMALL = "face too small"
LOST = "face lost"
MOVES = "moves too much"
OUTSIDE = "outside the picture"
NOT_LARGEST = "not the largest face"
NO_FACE = "no face"


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """What is read, and whom it shows."""

    layout: str = option(
        "auto",
        "Layout: videos (any folder), voxceleb (idNNNNN/…/video), celeba (pictures, identity_CelebA.txt), "
        "frames (train/ and test/, a folder of pictures for each clip, identity before '#'), or auto.",
    )
    identity_from: str = option(
        "layout",
        "Identity of a recording: layout (as the layout says; the file's name for plain videos), file, or folder (the "
        "first one below the input).",
    )
    source: str | None = option(None, "Name of the data, kept with each clip; by default the folder's name.")
    tier: str = option("research", "Terms of use in one word: open (free terms) or research.")
    terms: str = option("not stated", "Terms of use, kept with each clip.")

    def __post_init__(self) -> None:
        check_choice("--layout", self.layout, LAYOUTS)
        check_choice("--identity-from", self.identity_from, ("layout", "file", "folder"))
        check_choice("--tier", self.tier, TIERS)


@dataclass(frozen=True, kw_only=True)
class ClipOptions:
    """How clips are cut, and which are dropped."""

    size: int = option(256, "Side of the crops in pixels, from 32 to 1024.")
    frames: int = option(24, "Frames of a clip at most, from 2 to 1000.")
    rate: Fraction = option(Fraction(25, 2), "Frames sampled per second of video.")
    every: int | None = option(
        None, "Sample every k-th frame and keep all of them, instead of those that differ in pose and expression."
    )
    longest: float = option(20.0, "Seconds after which a shot is continued as another clip.")
    shortest: float = option(1.0, "Shortest duration of a clip, in seconds.")
    smallest: float = option(64.0, "Smallest face of a clip, in pixels of the video.")
    lost: float = option(0.1, "Largest share of a clip's frames without its face.")
    extent: float = option(
        2.5, "Largest side of the square in which the face of a clip moves, as a multiple of the face's side."
    )
    outside: float = option(0.4, "Largest share of the crop beyond the edges of the video.")
    faces: str = option(
        "auto", "Faces of a shot that are kept: all, largest, or auto (the largest where the layout names the person)."
    )
    crop: str = option(
        "auto", "Crop: face, whole (the middle square of the picture), or auto (whole for the frames layout)."
    )

    def __post_init__(self) -> None:
        check_range("--size", self.size, 32, 1024)
        check_range("--frames", self.frames, 2, 1000)
        check_range("--rate", self.rate, 1, 240)
        check_range("--every", self.every, 1, 1000)
        check_range("--shortest", self.shortest, 0, 3600)
        check_range("--longest", self.longest, 0.1, 3600)
        check_range("--smallest", self.smallest, 0, 4096)
        check_range("--lost", self.lost, 0, 1)
        check_range("--extent", self.extent, 1, 10)
        check_range("--outside", self.outside, 0, 1)
        check_choice("--faces", self.faces, ("auto", "all", "largest"))
        check_choice("--crop", self.crop, ("auto", "face", "whole"))
        if self.longest < self.shortest:
            raise OptionError(f"--longest {self.longest:g}: give at least --shortest, {self.shortest:g} seconds")


@dataclass(frozen=True, kw_only=True)
class ShardOptions:
    """How shards are written."""

    quality: int = option(95, "Quality of the JPEG pictures, from 50 to 100.")
    shard_size: int = option(200, "Megabytes after which a new shard begins, from 1 to 10000.")

    def __post_init__(self) -> None:
        check_range("--quality", self.quality, 50, 100)
        check_range("--shard-size", self.shard_size, 1, 10_000)


@dataclass(frozen=True, kw_only=True)
class PrepareOptions(InputOptions, ClipOptions, ShardOptions):
    """How raw videos are prepared."""

    def __post_init__(self) -> None:
        for part in (InputOptions, ClipOptions, ShardOptions):
            part.__post_init__(self)
