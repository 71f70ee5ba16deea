"""How training runs: data, optimizer, length, what is written when. Each kind's recipe is these and its objective."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from fadm.data.pairs.store import PairOptions
from fadm.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """What is learned from.

    shards, validation: files of clips (fadm data prepare) or their folders, of other people each; none: made-up moving
    faces.
    tier: `open` takes clips under free terms only. cache: folder of coarse frames and made-up faces. workers:
    processes that read ahead.
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
        check_range("data", self, size=(1, None), workers=(0, None))


@dataclass(frozen=True, kw_only=True)
class CoarseOptions:
    """The frozen coarse generator: `geometric` or the name of weights; which pairs it makes of each clip.

    attributes: whose numbers the renderer is conditioned on: the landmark face model's or (with its weights) DECA's.
    """

    generator: str = "geometric"
    attributes: Literal["landmarks", "deca"] = "landmarks"
    pairs: PairOptions = PairOptions()
    validation_pairs_per_clip: int = 8

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers out of range."""
        check_range("coarse", self, validation_pairs_per_clip=(1, None))
        if self.pairs.size != PairOptions.size:
            raise ConfigError("coarse.pairs.size: the pairs have the size of all pictures; set data.size")
        counts = {"sources_per_clip": (1, None), "drivings_per_source": (1, None), "seed": (0, None)}
        check_range("coarse.pairs", self.pairs, augmented=(0, 1), **counts)


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions:
    """AdamW (Adam without decay); the defaults are the papers' of FADM.

    The rate rises linearly over warmup_steps and falls along a cosine to final_share of itself, if asked for.
    clip_norm: largest norm of the gradient of all parameters.
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
        check_range("optimizer", self, learning_rate=(0, None), weight_decay=(0, None), final_share=(0, 1))
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ConfigError(f"optimizer.clip_norm {self.clip_norm} is out of range; choose above 0, or leave it out")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"optimizer.betas {list(self.betas)} are out of range; choose from 0 to below 1")


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Length and habits of a run; batch_size counts the samples of a step over all processes.

    start: weights to begin with. ema_decay: of the averaged weights, which are validated and kept.
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
        check_range("run", self, seed=(0, None), ema_decay=(0, 1), **counts)


def check_range(table: str, options: Any, **ranges: tuple[float, float | None]) -> None:
    """Raise ConfigError for the first number that is not within its range, both ends included; None: no end."""
    for name, (least, most) in ranges.items():
        given = getattr(options, name)
        if not least <= given <= (math.inf if most is None else most):
            end = "more" if most is None else f"up to {most}"
            raise ConfigError(f"{table}.{name} {given} is out of range; choose {least} or {end}")
