"""All options of animation, with defaults, help texts and checks, shared by API, command line and web page.

Imports nothing heavy, so that `fadm --help` is fast. Each field's text is in its metadata, under `help`.
"""

import math
from dataclasses import dataclass, field, fields
from decimal import Decimal
from fractions import Fraction
from typing import Any

from fadm.errors import FadmError, OptionError

DEFAULT_CROP_SIZE = 512
LARGEST_CROP_SIZE = 1024
SIZE_RANGE = (64, 2048)
RATE_RANGE = (Fraction(1, 100), Fraction(1000))  # frames per second
LARGEST_TERM = 2**31 - 1  # largest numerator and denominator of a fraction in a video's header


def option(default: Any, description: str) -> Any:
    """Define a field of an option dataclass with its help text.

    Args:
        default: Default value.
        description: Help text, a sentence.

    Returns:
        The dataclass field.
    """
    return field(default=default, metadata={"help": description})


@dataclass(frozen=True, kw_only=True)
class WindowOptions:
    """What the crop shows."""

    window: str = option(
        "face", "Crop: face (a square around the face) or picture (the whole of a square picture, a crop already)."
    )

    def __post_init__(self) -> None:
        check_choice("--window", self.window, ("face", "picture"))


@dataclass(frozen=True, kw_only=True)
class SourceOptions(WindowOptions):
    """Which face of the source picture is rendered, and how large."""

    face: str = option("largest", "Face in the source: largest, left, only, or a number from the left, from 1.")
    crop: bool = option(False, "Write the square crop around the face, or (--full) the whole source picture.")
    size: int | None = option(
        None,
        f"Side of the crop in pixels, from 64 to 2048; {DEFAULT_CROP_SIZE} by default with --crop. "
        f"Without --crop, larger pictures are scaled down to it; {LARGEST_CROP_SIZE} by default.",
    )
    label: bool = option(True, "Mark the file as synthetic in its metadata.")

    def __post_init__(self) -> None:
        WindowOptions.__post_init__(self)
        check_face(self.face, "--face")
        check_range("--size", self.size, *SIZE_RANGE)


@dataclass(frozen=True, kw_only=True)
class MotionOptions:
    """Which face of the driver is followed, when, and how steadily."""

    driving_face: str = option("largest", "Face in the driver: as --face.")
    stills: bool = option(
        False, "Treat the driver's frames as separate pictures of one person: no scene cuts, no smoothing, no tracking."
    )
    smoothing: float = option(1.5, "Cut-off of the landmark filter at rest, in Hz; 0 switches it off.")
    start: float | None = option(None, "Start in the driver, in seconds.")
    end: float | None = option(None, "End in the driver, in seconds.")
    rate: Fraction | None = option(None, "Frames per second of a folder of pictures; 25 by default.")

    def __post_init__(self) -> None:
        check_face(self.driving_face, "--driving-face")
        check_range("--smoothing", self.smoothing, 0, 30)
        if self.rate is not None:
            _check_rate(self.rate)


@dataclass(frozen=True, kw_only=True)
class SoundOptions:
    """Which sound the result has."""

    audio: bool = option(True, "Keep the driver's sound; it is encoded again only where the format cannot hold it.")
    audio_track: int | None = option(
        None, "Audio track of the driver, counted from 1; by default the one marked as default, else the first."
    )

    def __post_init__(self) -> None:
        check_range("--audio-track", self.audio_track, 1, None)
        if self.audio_track is not None and not self.audio:
            raise OptionError("--audio-track chooses a sound, but --no-audio leaves it out; give one of the two")


@dataclass(frozen=True, kw_only=True)
class RefineOptions:
    """Whether and how a diffusion model renders the coarse frames again; the preset gives the defaults."""

    renderer: str = option(
        "auto",
        "Renderer: name (fadm weights list), weights file, or none. auto: fadm_small with the geometric generator and "
        "for fadm enhance, none with a trained generator.",
    )
    parts: str = option(
        "auto", "Renderer of mouth and eyes: name, weights file, or none. auto: the one that belongs to the renderer."
    )
    commercial: bool = option(
        False,
        "Refuse weights whose terms forbid commercial use or are unknown. --renderer auto then takes fadm_open where "
        "there is one.",
    )
    attributes: str = option(
        "auto", "Attributes that condition the renderer: auto (as in its training), deca or landmarks."
    )
    preset: str = option(
        "auto",
        "Preset of sampler and attributes: paper, released or default; auto chooses by the renderer's training.",
    )
    sampler: str | None = option(None, "Sampler: ddpm, ddim or dpm_solver.")
    steps: int | None = option(None, "Sampling steps.")
    eta: float | None = option(None, "Noise of the ddim sampler, from 0 to 1.")
    strength: float | None = option(
        None,
        "Share of noise at the start, from 0.01 to 1; 1 starts from noise alone, less from the noised coarse frame.",
    )
    seed: int = option(0, "Random seed; the same seed gives the same video.")
    first_frame: int = option(0, "Number of the first frame, on which the noise depends.")

    def __post_init__(self) -> None:
        check_choice("--attributes", self.attributes, ("auto", "deca", "landmarks"))
        check_choice("--preset", self.preset, ("auto", "paper", "released", "default"))
        check_choice("--sampler", self.sampler or "ddpm", ("ddpm", "ddim", "dpm_solver"))
        check_range("--steps", self.steps, 1, 1000)
        check_range("--eta", self.eta, 0, 1)
        check_range("--strength", self.strength, 0.01, 1)
        check_range("--seed", self.seed, 0, 2**31 - 1)
        check_range("--first-frame", self.first_frame, 0, 2**31 - 1)


def _gain(what: str) -> Any:
    return option(1.0, f"Gain of {what}: 0 none, 1 unchanged, 2 doubled.")


@dataclass(frozen=True, kw_only=True)
class Gains:
    """A factor from 0 to 3 for each part of the motion."""

    rotation_gain: float = _gain("the head's rotation")
    translation_gain: float = _gain("the head's translation and size")
    mouth_gain: float = _gain("mouth and jaw")
    eyes_gain: float = _gain("the eyelids, nose and cheeks")
    brows_gain: float = _gain("the brows")
    gaze_gain: float = _gain("the gaze")

    def __post_init__(self) -> None:
        for part in fields(Gains):
            check_range(f"--{part.name.replace('_', '-')}", getattr(self, part.name), 0, 3)


@dataclass(frozen=True, kw_only=True)
class AnimateOptions(SourceOptions, MotionOptions, SoundOptions, RefineOptions, Gains):
    """How a source follows a driver."""

    coarse: str = option(
        "geometric", "Coarse generator: geometric, fomm, face_vid2vid, or a weights file of one of the two networks."
    )
    yaw: float | None = option(None, "Face vid2vid's free view: turn of the head, in degrees.")
    pitch: float | None = option(None, "Face vid2vid's free view: nod of the head, in degrees.")
    roll: float | None = option(None, "Face vid2vid's free view: tilt of the head, in degrees.")

    relative: bool | None = option(
        None,
        "Transfer the driver's change from its anchor frame, or (--absolute) its own pose and expression. "
        "By default relative for a video, absolute for a single picture.",
    )
    anchor: str = option(
        "auto", "Anchor frame: auto (nearest to the source's pose and expression), first, or a number from 0."
    )
    placement: str = option(
        "limited",
        "Head position: limited (the head stays on its neck), or clip (position and size of the driver's head, for "
        "a source and a driver from the same clip).",
    )
    gap: str = option(
        "hold", "Frames without a face: hold (repeat the last one), interpolate, source (show it at rest) or stop."
    )
    side_by_side: bool = option(False, "Show source and driver beside the result.")

    def __post_init__(self) -> None:
        for part in (SourceOptions, MotionOptions, SoundOptions, RefineOptions, Gains):
            part.__post_init__(self)
        check_choice("--placement", self.placement, ("limited", "clip"))
        if self.placement == "clip" and self.relative:
            raise OptionError("--placement clip takes the driver's head as it is; leave --relative out")
        check_choice("--gap", self.gap, ("hold", "interpolate", "source", "stop"))
        if not (self.anchor in ("auto", "first") or self.anchor.isdecimal()):
            raise OptionError(f"--anchor {self.anchor}: give auto, first, or the number of a frame from 0")


@dataclass(frozen=True, kw_only=True)
class EnhanceOptions(WindowOptions, MotionOptions, SoundOptions, RefineOptions):
    """How an animation made by other tools is rendered again."""

    label: bool = option(True, "Mark the file as synthetic in its metadata.")

    def __post_init__(self) -> None:
        for part in (WindowOptions, MotionOptions, SoundOptions, RefineOptions):
            part.__post_init__(self)


@dataclass(frozen=True, kw_only=True)
class EditOptions(SourceOptions, RefineOptions):
    """Which face of a portrait is changed, and how the result is rendered."""

    def __post_init__(self) -> None:
        for part in (SourceOptions, RefineOptions):
            part.__post_init__(self)


def check_face(choice: str, flag: str = "face") -> str:
    """Check the choice of a face.

    Args:
        choice: largest, left, only, or a number counted from the left, from 1.
        flag: Name of the option, for the error.

    Returns:
        The choice.

    Raises:
        OptionError: It is another choice.
    """
    if choice in ("largest", "left", "only") or (choice.isdecimal() and int(choice) >= 1):
        return choice
    raise OptionError(f"{flag} {choice!r}: give largest, left, only, or a number counted from the left, from 1")


def check_choice(flag: str, value: str, known: tuple[str, ...]) -> None:
    """Check that a value is one of the known ones.

    Args:
        flag: Name of the option, for the error.
        value: The value.
        known: All allowed values.

    Raises:
        OptionError: The value is not among them.
    """
    if value not in known:
        raise OptionError(f"{flag} {value}: give {', '.join(known[:-1])} or {known[-1]}")


def check_range(
    name: str,
    value: float | Fraction | None,
    low: float,
    high: float | None,
    *,
    error: type[FadmError] = OptionError,
) -> None:
    """Check that a number is in its range.

    Args:
        name: The flag, or the key of a recipe, that holds the number.
        value: The number; None is not checked.
        low: The smallest number allowed.
        high: The largest number allowed; None is unlimited.
        error: Class of the error.

    Raises:
        FadmError: The number is out of its range, or not a number; of class `error`.
    """
    if value is not None and not low <= value <= (math.inf if high is None else high):
        expected = f"{low:.10g} or more" if high is None else f"a number from {low:.10g} to {high:.10g}"
        raise error(f"{name} {float(value):g}: give {expected}")


def _check_rate(rate: Fraction) -> None:
    # As a decimal, because a float cannot show every rate that can be typed (1e400).
    given = Decimal(rate.numerator) / Decimal(rate.denominator)
    low, high = RATE_RANGE
    if not low <= rate <= high:
        raise OptionError(f"--rate {given:.6g}: give a number from {float(low):g} to {float(high):g}")
    if max(rate.numerator, rate.denominator) > LARGEST_TERM:
        raise OptionError(f"--rate {given}: more digits than a video holds; give for instance 29.97 or 30000/1001")
