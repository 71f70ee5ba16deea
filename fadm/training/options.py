"""Options of a training run: data, optimizer, length, what is written when. A recipe adds an objective to them."""

from dataclasses import dataclass
from typing import Any, Literal

from fadm.data.pairs.store import PairOptions
from fadm.errors import ConfigError
from fadm.options import check_range


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Training data and held-out data.

    Attributes:
        shards: Shards with the training clips, or their folders; none means synthetic faces.
        validation: Shards with clips of held-out identities, or their folders.
        tier: `open` takes only clips under free terms, of training and held-out data alike; not `open-doubtful`.
        size: Side of all pictures, in pixels.
        is_jittered: Whether colours are changed at random, in all pictures of a sample alike.
        cache: Folder for coarse frames and synthetic faces.
        workers: Processes that read ahead.
    """

    shards: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    tier: Literal["all", "open"] = "all"
    size: int = 256
    is_jittered: bool = True
    cache: str = "cache"
    workers: int = 1

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers out of range."""
        check_ranges("data", self, size=(1, None), workers=(0, None))


@dataclass(frozen=True, kw_only=True)
class CoarseOptions:
    """The frozen coarse generator, and the pairs of frames that it is applied to.

    Attributes:
        generator: `geometric`, or the name or file of weights.
        attributes: Attributes that the renderer is conditioned on: those of the landmark face model, or of DECA.
        pairs: Which pairs are made of each training clip.
        stills_share: Share of the samples that are of stills, where the data have any; 0 leaves them out.
        pairs_per_still: How many pairs are made of the stills of a sample, and as many of the mirrored ones.
        validation_pairs_per_clip: How many pairs are made of each held-out clip or sample of stills.
    """

    generator: str = "geometric"
    attributes: Literal["landmarks", "deca"] = "landmarks"
    pairs: PairOptions = PairOptions()
    stills_share: float = 0.25
    pairs_per_still: int = 4
    validation_pairs_per_clip: int = 8

    @property
    def weights(self) -> list[str]:
        """Names or files of the weights that make the pairs."""
        return [self.generator] * (self.generator != "geometric") + ["deca"] * (self.attributes == "deca")

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers out of range."""
        numbers = dict.fromkeys(("pairs_per_still", "validation_pairs_per_clip"), (1, None))
        check_ranges("coarse", self, stills_share=(0, 1), **numbers)
        if self.pairs.size != PairOptions.size:
            raise ConfigError("coarse.pairs.size: the pairs have the size of all pictures; set data.size")
        counts = {"sources_per_clip": (1, None), "drivings_per_source": (1, None), "seed": (0, None)}
        check_ranges("coarse.pairs", self.pairs, augmented=(0, 1), **counts)


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions:
    """AdamW, which without weight decay is Adam; the defaults are FADM's (arXiv 2304.03199).

    Attributes:
        learning_rate: The largest learning rate.
        betas: Decay of the two moments, each from 0 to below 1.
        weight_decay: AdamW's weight decay.
        warmup_steps: Steps over which the rate rises linearly from 0.
        decay: `cosine` lets the rate fall along half a cosine until the last step.
        final_share: Share of the largest rate that is left then.
        clip_norm: The largest norm of the gradient of all parameters; None does not clip.
    """

    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.0, 0.9)
    weight_decay: float = 0.0
    warmup_steps: int = 0
    decay: Literal["none", "cosine"] = "none"
    final_share: float = 0.05
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers out of range."""
        check_ranges("optimizer", self, learning_rate=(0, None), weight_decay=(0, None), final_share=(0, 1))
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ConfigError(f"optimizer.clip_norm {self.clip_norm}: give a number above 0, or leave it out")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"optimizer.betas {list(self.betas)}: give numbers from 0 to below 1")


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Length of a run, and what is written when.

    Attributes:
        steps: Steps of the run, or of each stage of a distillation.
        batch_size: Samples of a step, over all processes.
        accumulation: Number of parts in which each process computes its samples, to save memory.
        seed: Seed of all randomness.
        start: Name or file of the weights to begin with; None trains from scratch.
        ema_decay: Decay of the averaged weights, which are validated and saved; 0 saves the weights themselves.
        precision: `auto` takes bfloat16 where the device computes it fast.
        log_every: Steps between two lines of metrics.
        checkpoint_every: Steps between two checkpoints.
        validate_every: Steps between two validations.
        validation_samples: Samples of a validation.
    """

    steps: int = 100_000
    batch_size: int = 16
    accumulation: int = 1
    seed: int = 0
    start: str | None = None
    ema_decay: float = 0.999
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    log_every: int = 50
    checkpoint_every: int = 250
    validate_every: int = 1000
    validation_samples: int = 64

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers out of range."""
        names = ("steps", "batch_size", "accumulation", "log_every", "checkpoint_every", "validate_every")
        counts = dict.fromkeys((*names, "validation_samples"), (1, None))
        check_ranges("run", self, seed=(0, None), ema_decay=(0, 1), **counts)


def check_ranges(table: str, options: Any, **ranges: tuple[float, float | None]) -> None:
    """Check numbers of a recipe's table.

    Args:
        table: Name of the table, for the error.
        options: The table, with an attribute for each key.
        **ranges: The smallest and the largest value of each key that is checked; None means without end.

    Raises:
        ConfigError: A number is out of its range.
    """
    for name, (low, high) in ranges.items():
        check_range(f"{table}.{name}", getattr(options, name), low, high, error=ConfigError)
