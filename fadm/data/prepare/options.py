"""What may be chosen when raw videos are made into shards, and why a clip is dropped. Imports nothing heavy."""

from dataclasses import dataclass
from fractions import Fraction

from fadm.errors import OptionError
from fadm.options import check_choice, check_range, option

LAYOUTS = ("auto", "videos", "voxceleb", "celeba", "frames")
TIERS = ("open", "research")

# Why a clip is dropped: the word in the summary, and what it means.
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
        "Identity: layout (what the layout says, the file's name for plain videos), file, or folder (the first one "
        "below what is given).",
    )
    source: str | None = option(None, "Name of the data, kept with each clip; the folder's name unless told.")
    tier: str = option("research", "Terms of use in a word: open (free terms) or research.")
    terms: str = option("not stated", "Terms of use, kept with each clip.")

    def __post_init__(self) -> None:
        check_choice("--layout", self.layout, LAYOUTS)
        check_choice("--identity-from", self.identity_from, ("layout", "file", "folder"))
        check_choice("--tier", self.tier, TIERS)


@dataclass(frozen=True, kw_only=True)
class ClipOptions:
    """How clips are cut and which are dropped."""

    size: int = option(256, "Side of the crops in pixels, from 32 to 1024.")
    frames: int = option(24, "Frames of a clip at most, from 2 to 1000.")
    rate: Fraction = option(Fraction(25, 2), "Frames looked at in a second of video.")
    every: int | None = option(
        None, "Look at every k-th frame and keep them all, instead of those that differ in pose and expression."
    )
    longest: float = option(20.0, "Seconds after which a shot goes on as another clip.")
    shortest: float = option(1.0, "Seconds under which a clip is dropped.")
    smallest: float = option(64.0, "Pixels of the face's height in the video under which a clip is dropped.")
    lost: float = option(0.1, "Share of a clip's frames without its face above which it is dropped.")
    extent: float = option(2.5, "Place that the moving face takes, in faces, above which a clip is dropped.")
    outside: float = option(0.4, "Share of the crop beyond the video's edges above which a clip is dropped.")
    faces: str = option(
        "auto", "Faces of a shot: all, largest, or auto (the largest where the layout names the person)."
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
    shard_size: int = option(200, "Megabytes after which another shard begins, from 1 to 10000.")

    def __post_init__(self) -> None:
        check_range("--quality", self.quality, 50, 100)
        check_range("--shard-size", self.shard_size, 1, 10_000)


@dataclass(frozen=True, kw_only=True)
class PrepareOptions(InputOptions, ClipOptions, ShardOptions):
    """How raw videos are made into shards."""

    def __post_init__(self) -> None:
        for part in (InputOptions, ClipOptions, ShardOptions):
            part.__post_init__(self)
