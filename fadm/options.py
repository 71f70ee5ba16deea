"""What a user may choose: the one home of each option, shared by API, command line and page.

Imports nothing heavy, so that `fadm --help` shows names and defaults at once.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from fadm.coarse.geometric.gains import Gains
from fadm.errors import OptionError

DEFAULT_CROP_SIZE = 512
LARGEST_CROP_SIZE = 1024
SIZE_RANGE = (64, 2048)


def option(default: Any, description: str) -> Any:
    """A field with the text that explains it."""
    return field(default=default, metadata={"help": description})


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Which face of the source picture is rendered, and how large."""

    face: str = option(
        "largest", "Face in the source: largest, left, only, or a number from the left, from 1."
    )
    crop: bool = option(False, "Write the square crop around the face, or (--full) the whole source picture.")
    size: int | None = option(
        None,
        "Side of the rendered crop in pixels, from 64 to 2048. "
        f"With --crop {DEFAULT_CROP_SIZE} unless told; else a larger picture is scaled down to it, "
        f"{LARGEST_CROP_SIZE} unless told.",
    )
    label: bool = option(True, "Say in the file's metadata that it is synthetic.")

    def __post_init__(self) -> None:
        if self.size is not None and not SIZE_RANGE[0] <= self.size <= SIZE_RANGE[1]:
            raise OptionError(f"--size {self.size}: give a number from {SIZE_RANGE[0]} to {SIZE_RANGE[1]}")


@dataclass(frozen=True, kw_only=True)
class MotionOptions:
    """Which face of the driver is followed, when, and how steadily."""

    driving_face: str = option("largest", "Face in the driver: as --face.")
    smoothing: float = option(1.5, "Cut-off of the landmark filter at rest, in Hz; 0 switches it off.")
    start: float | None = option(None, "Start in the driver, in seconds.")
    end: float | None = option(None, "End in the driver, in seconds.")
    rate: Fraction | None = option(None, "Frames per second of a folder of pictures, 25 unless told.")

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing <= 30:
            raise OptionError(f"--smoothing {self.smoothing:g}: give a number from 0 to 30")


@dataclass(frozen=True, kw_only=True)
class AnimateOptions(SourceOptions, MotionOptions, Gains):
    """How a source follows a driver."""

    relative: bool | None = option(
        None,
        "Pass on the driver's change from its anchor frame, or (--absolute) its own pose and expression. "
        "A video is relative and a single picture absolute unless told.",
    )
    anchor: str = option(
        "auto", "Anchor frame: auto (nearest to the source's pose and expression), first, or a number from 0."
    )
    gap: str = option("hold", "Frames without a face: hold, interpolate, source (show it at rest) or stop.")
    side_by_side: bool = option(False, "Show source and driver beside the result.")
    audio: bool = option(True, "Copy the driver's sound.")
    seed: int = option(0, "Seed of all randomness; the same seed gives the same video.")

    def __post_init__(self) -> None:
        SourceOptions.__post_init__(self)
        MotionOptions.__post_init__(self)
        Gains.__post_init__(self)
        if self.gap not in ("hold", "interpolate", "source", "stop"):
            raise OptionError(f"--gap {self.gap}: give hold, interpolate, source or stop")
        if not (self.anchor in ("auto", "first") or self.anchor.isdecimal()):
            raise OptionError(f"--anchor {self.anchor}: give auto, first, or the number of a frame from 0")
