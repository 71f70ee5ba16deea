"""Options of evaluations. Imports nothing heavy."""

from dataclasses import dataclass
from typing import Any

from fadm.errors import OptionError
from fadm.options import RefineOptions, check_choice, check_range, option

TWO_FOLDERS = "two-folders"
PROTOCOLS = ("random-pairs", "reconstruction", "cross-identity", TWO_FOLDERS)
VIDEO_PROTOCOLS = ("reconstruction", "cross-identity", TWO_FOLDERS)
GROUPS = ("pixel", "perceptual", "landmarks", "identity", "attributes", "following", "temporal", "distribution")
MOTIONS = ("best", "first", "absolute")
CONDITIONS = ("appearance", "motion", "source", "person")
DEFAULT_COUNT = 1000  # pairs of the protocol random-pairs


def _same_as_refining(name: str) -> Any:
    """Make an option with the default and the help text of the refining option of that name."""
    field = RefineOptions.__dataclass_fields__[name]
    return option(field.default, field.metadata["help"])


@dataclass(frozen=True, kw_only=True)
class DrawOptions:
    """Options of the pairs of source and driver."""

    protocol: str = option(
        "random-pairs",
        "Protocol: random-pairs (two frames of one clip), reconstruction (a clip from its first frame), "
        "cross-identity (a clip drives another person), two-folders (results and a plain folder of the "
        "expected pictures).",
    )
    count: int | None = option(
        None, f"Number of pairs; by default {DEFAULT_COUNT} random ones, or each clip once as the driver."
    )
    seed: int = option(0, "Seed of all randomness: of the pairs drawn and of the renderer's noise.")

    def __post_init__(self) -> None:
        check_choice("--protocol", self.protocol, PROTOCOLS)
        check_range("--count", self.count, 1, 10**7)
        check_range("--seed", self.seed, 0, 2**31 - 1)


@dataclass(frozen=True, kw_only=True)
class MakeOptions:
    """Options of the model; those that are None are the preset's."""

    coarse: str = option(
        "geometric",
        "Coarse frames under a renderer: geometric, weights of a network, or a folder of results to be enhanced.",
    )
    motion: str = option(
        "best", "Cross-identity motion: from the driver's best start frame, from the first one, or absolute."
    )
    parts: str = _same_as_refining("parts")
    commercial: bool = _same_as_refining("commercial")
    preset: str = _same_as_refining("preset")
    sampler: str | None = _same_as_refining("sampler")
    eta: float | None = _same_as_refining("eta")
    strength: float | None = _same_as_refining("strength")

    def __post_init__(self) -> None:
        check_choice("--motion", self.motion, MOTIONS)
        RefineOptions(preset=self.preset, sampler=self.sampler, eta=self.eta, strength=self.strength)


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """Options of the metrics and outputs."""

    metrics: str = option("all", f"Groups of metrics: all, or some of {', '.join(GROUPS)}, with commas.")
    arcface: str | None = option(
        None, "ArcFace network for CSIM as an ONNX file, such as InsightFace's w600k_r50.onnx."
    )
    save_frames: bool = option(False, "Save the frames of the results (they show people).")
    report: bool = option(False, "Write report.html with worst, median and best cases (it shows people).")

    def __post_init__(self) -> None:
        for group in self.groups:
            check_choice("--metrics", group, GROUPS)

    @property
    def groups(self) -> tuple[str, ...]:
        """The chosen groups, in the order of `GROUPS`."""
        chosen = [group.strip() for group in self.metrics.split(",")]
        unknown = tuple(group for group in chosen if group not in GROUPS and group != "all")
        return unknown or tuple(group for group in GROUPS if group in chosen or "all" in chosen)


@dataclass(frozen=True, kw_only=True)
class RunOptions(DrawOptions, MakeOptions, MeasureOptions):
    """Options of the evaluation of one method."""

    steps: int | None = _same_as_refining("steps")

    def __post_init__(self) -> None:
        for part in (DrawOptions, MakeOptions, MeasureOptions):
            part.__post_init__(self)
        RefineOptions(steps=self.steps)


@dataclass(frozen=True, kw_only=True)
class AblationOptions(DrawOptions, MakeOptions, MeasureOptions):
    """Options of an ablation: one renderer with several numbers of steps, and without some of its conditions."""

    parts: str = option("none", "Renderer of mouth and eyes: none shows what the renderer itself does.")
    steps: str = option("1,2,4,8", "Numbers of sampling steps, with commas.")
    without: str = option(
        "", f"Conditions to switch off one at a time, at the largest number of steps: {', '.join(CONDITIONS)}."
    )

    def __post_init__(self) -> None:
        for part in (DrawOptions, MakeOptions, MeasureOptions):
            part.__post_init__(self)
        for number in self.step_counts:
            RefineOptions(steps=number)
        for condition in self.conditions:
            check_choice("--without", condition, CONDITIONS)

    @property
    def step_counts(self) -> tuple[int, ...]:
        """Numbers of steps in ascending order. Raises OptionError for anything else."""
        parts = [part.strip() for part in self.steps.split(",")]
        if not all(part.isdecimal() for part in parts):
            raise OptionError(f"--steps {self.steps}: give whole numbers with commas, such as 1,2,4,8")
        return tuple(sorted({int(part) for part in parts}))

    @property
    def conditions(self) -> tuple[str, ...]:
        """Conditions to switch off."""
        return tuple(part.strip() for part in self.without.split(",") if part.strip())
