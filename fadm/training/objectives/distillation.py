"""Progressive distillation: a renderer learns to reach in one step what its teacher reaches in several.

Salimans & Ho 2022 (arXiv 2202.00512), section 3 and algorithm 2, for teachers with any larger number of steps. One
departure: where the walk begins x_t is noise alone, as in inference, and not the noised frame.
"""

from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from fadm.device import seeded_generator
from fadm.diffusion.sampling import spaced_timesteps
from fadm.diffusion.schedule import alpha_sigma, alphas_cumprod_at, q_sample, x0_from_output
from fadm.errors import ConfigError
from fadm.metrics.perceptual import perceptual_distance
from fadm.networks.efficientnet import EfficientNetLite0, load_efficientnet_lite0
from fadm.rendering.conditions import inference_conditions
from fadm.rendering.renderer import DiffusionRenderer, RendererFeatures
from fadm.training.objective import Batch, Objective, Outcome
from fadm.training.options import check_range

Weighting = Literal["uniform", "snr", "truncated_snr", "snr_plus_one"]


@dataclass(frozen=True, kw_only=True)
class DistillationLosses:
    """What a student minimises; the defaults are the paper's loss alone.

    denoising_weight: of the squared error of x0, times the paper's `weighting` of the step (section 4): a function
    of the signal-to-noise ratio alpha^2 / sigma^2. Beside it, each with its weight: L1 of the implied picture,
    `attention_weight` times more where people look, and its EfficientNet-Lite0 distance. Both are measured against
    the teacher's picture, and to the share `real_weight` against the driving frame.
    """

    denoising_weight: float = 1.0
    weighting: Weighting = "truncated_snr"
    picture_weight: float = 0.0
    attention_weight: float = 0.0
    perceptual_weight: float = 0.0
    perceptual_strides: tuple[int, ...] = (2, 4, 8, 16, 32)
    real_weight: float = 0.0


@dataclass(frozen=True, kw_only=True)
class DistillationConfig:
    """One stage; raises ConfigError for a teacher with fewer steps than its student.

    clip: range to which each of the teacher's estimates is limited, as in `RenderOptions`.
    """

    teacher_steps: int = 100
    student_steps: int = 20
    clip: tuple[float, float] | None = None
    losses: DistillationLosses = DistillationLosses()

    def __post_init__(self) -> None:
        """Check the steps and the shares."""
        if not 1 <= self.student_steps <= self.teacher_steps:
            raise ConfigError(
                f"student_steps {self.student_steps} must be at least 1 and at most teacher_steps {self.teacher_steps}"
            )
        names = ("denoising", "picture", "attention", "perceptual")
        weights = dict.fromkeys((f"{name}_weight" for name in names), (0, None))
        check_range("losses", self.losses, real_weight=(0, 1), **weights)


@dataclass(frozen=True, kw_only=True)
class DistillationStages:
    """Stages one after the other, each student the next teacher; raises ConfigError for steps that do not fall.

    steps: of each stage's student. teacher_steps: of the first teacher.
    """

    teacher_steps: int = 100
    steps: tuple[int, ...] = (20, 4, 1)
    clip: tuple[float, float] | None = None
    losses: DistillationLosses = DistillationLosses()

    def __post_init__(self) -> None:
        """Check the steps."""
        walk = (self.teacher_steps, *self.steps)
        if not self.steps or any(student >= teacher for teacher, student in pairwise(walk)):
            raise ConfigError(f"steps {self.steps} must fall from stage to stage, from below {self.teacher_steps}")
        self.configs()

    def configs(self) -> list[DistillationConfig]:
        """The stages in their order."""
        return [
            DistillationConfig(teacher_steps=teacher, student_steps=student, clip=self.clip, losses=self.losses)
            for teacher, student in pairwise((self.teacher_steps, *self.steps))
        ]


class DistillationTraining(nn.Module):
    """Student and frozen teacher as one forward pass; features: frozen, for the perceptual distance."""

    steps: Tensor
    shares: Tensor

    def __init__(
        self, config: DistillationConfig, teacher: DiffusionRenderer, features: EfficientNetLite0 | None
    ) -> None:
        super().__init__()
        self.config = config
        self.student = deepcopy(teacher).requires_grad_(True)
        self.teacher = deepcopy(teacher).requires_grad_(False)
        self.features = features
        steps, shares = plan_walks(teacher.schedule, config.teacher_steps, config.student_steps)
        self.register_buffer("steps", steps, persistent=False)
        self.register_buffer("shares", shares, persistent=False)
        self.train()

    def train(self, mode: bool = True) -> "DistillationTraining":
        """The teacher and the features stay as they are, whatever the student does."""
        super().train(mode)
        for frozen in (self.teacher, self.features):
            if frozen is not None:
                frozen.eval()
        return self

    def forward(self, batch: Batch, discriminator: nn.Module | None) -> Outcome:
        """batch: source, driving, coarse (B, 3, H, W) and attention (B, 1, H, W) in 0..1, attributes, seed (B,)."""
        student, coarse, driving = self.student, batch["coarse"], batch["driving"]
        conditions = inference_conditions(
            coarse, batch["attributes_source"], batch["attributes_driving"], batch["source"], batch.get("person")
        )
        interval, eps = self._draw(batch)
        t = self.steps[interval, 0]
        x_t = q_sample(student.to_x0(driving, coarse), t, eps, student.schedule)
        x_t = torch.where((t == student.config.timesteps - 1).view(-1, 1, 1, 1), eps, x_t)
        with torch.no_grad():
            target = self.walk(x_t, interval, self.teacher.encode(conditions), coarse)
        x0 = _estimate(student, x_t, t, student.encode(conditions))
        pictures = {
            "coarse": coarse,
            "teacher": student.to_picture(target, coarse),
            "prediction": student.to_picture(x0, coarse),
            "driving": driving,
        }
        weight = weigh_steps(student.schedule, t, self.config.losses.weighting)
        denoising = (weight * (x0 - target).square()).mean()
        losses = {"denoising": self.config.losses.denoising_weight * denoising}
        return Outcome(losses | self._picture_losses(pictures, batch["attention"]), pictures)

    def walk(self, x_t: Tensor, interval: Tensor, features: RendererFeatures, coarse: Tensor) -> Tensor:
        """The x0 (B, 3, H, W) with which one DDIM step leads to where the teacher's steps lead from x_t.

        interval (B,): the student's step. The inverted step (algorithm 2) is the mean of the teacher's estimates in
        the shares of `plan_walks`, which unlike the formula in the paper loses no digits.
        """
        teacher, target = self.teacher, torch.zeros_like(x_t)
        steps, shares = self.steps[interval].T, self.shares[interval].T  # (K, B)
        for k, (t, share) in enumerate(zip(steps, shares, strict=True)):
            x0 = _estimate(teacher, x_t, t, features)
            if self.config.clip is not None:
                x0 = teacher.to_x0(teacher.to_picture(x0, coarse).clamp(*self.config.clip), coarse)
            target = target + share.view(-1, 1, 1, 1) * x0
            if k + 1 < len(steps):
                alpha, sigma = alpha_sigma(teacher.schedule, t)
                alpha_next, sigma_next = alpha_sigma(teacher.schedule, steps[k + 1])
                x_t = alpha_next * x0 + sigma_next / sigma * (x_t - alpha * x0)
        return target

    def _picture_losses(self, pictures: dict[str, Tensor], attention: Tensor) -> dict[str, Tensor]:
        """The weighted losses on the student's picture, against the teacher's and the driving frame."""
        options, losses = self.config.losses, {}
        shares = {"teacher": 1 - options.real_weight, "driving": options.real_weight}
        shares = {name: share for name, share in shares.items() if share}
        if options.picture_weight:
            emphasis = options.picture_weight * (1 + options.attention_weight * attention)
            errors = [share * (pictures["prediction"] - pictures[name]).abs() for name, share in shares.items()]
            losses["picture"] = (emphasis * torch.stack(errors).sum(0)).mean()
        if self.features is not None:
            made = self.features.features(pictures["prediction"], options.perceptual_strides)
            losses["perceptual"] = torch.zeros((), device=attention.device)
            for name, share in shares.items():
                wanted = self.features.features(pictures[name], options.perceptual_strides)
                distance = perceptual_distance(made, wanted).mean()
                losses["perceptual"] = losses["perceptual"] + options.perceptual_weight * share * distance
        return losses

    def _draw(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Each sample's step of the student (B,) and eps (B, 3, H, W)."""
        shape, device = batch["driving"].shape[1:], batch["driving"].device
        interval, eps = [], []
        for seed in batch["seed"].tolist():
            generator = seeded_generator(seed)
            interval.append(int(torch.randint(self.config.student_steps, (), generator=generator)))
            eps.append(torch.randn(shape, generator=generator))
        return torch.tensor(interval, device=device), torch.stack(eps).to(device)


def build_distillation_objective(config: DistillationConfig, teacher: DiffusionRenderer) -> Objective:
    """Build a stage: the student begins as a copy of the teacher, which itself is left alone.

    Raises OptionError for more steps than the teacher has timesteps, PackageError where pretrained features are
    missing.
    """
    features = load_efficientnet_lite0() if config.losses.perceptual_weight else None
    training = DistillationTraining(config, teacher, features)
    return Objective(training, None, {"fadm": training.student})


def plan_walks(schedule: Tensor, teacher_steps: int, student_steps: int) -> tuple[Tensor, Tensor]:
    """For each step of the student the teacher's timesteps (N, K) int64 and the shares of its estimates (N, K).

    Both walk on `spaced_timesteps`; a walk with fewer steps than others begins with its first one repeated, which
    leads nowhere. With r = alpha / sigma a DDIM step (eta 0) from t to u adds (r_u - r_t) x0 to x / sigma, so one
    step for them all has the x0 that is the estimates' mean, weighted by how much each lets r grow. The last step
    leads to r infinite: there the last estimate, the picture itself, is the mean.
    """
    total = len(schedule)
    grid = spaced_timesteps(teacher_steps, total)
    walks = [
        [first, *(t for t in grid if last < t < first), last]
        for first, last in pairwise((*spaced_timesteps(student_steps, total), -1))
    ]
    longest = max(len(walk) for walk in walks)
    walks = [walk[:1] * (longest - len(walk)) + walk for walk in walks]
    shares = torch.zeros(len(walks), longest - 1, dtype=torch.float64)
    for number, walk in enumerate(walks):
        if walk[-1] < 0:
            shares[number, -1] = 1
        else:
            signal = torch.tensor([alphas_cumprod_at(schedule, t) for t in walk], dtype=torch.float64)
            growth = (signal / (1 - signal)).sqrt().diff()
            shares[number] = growth / growth.sum()
    return torch.tensor([walk[:-1] for walk in walks]), shares.float()


def weigh_steps(schedule: Tensor, t: Tensor, weighting: Weighting) -> Tensor:
    """The weight of the squared error of x0 at t (B,) -> (B, 1, 1, 1) (Salimans & Ho 2022, section 4)."""
    alpha, sigma = alpha_sigma(schedule, t)
    ratio = (alpha / sigma).square()
    if weighting == "uniform":
        return torch.ones_like(ratio)
    if weighting == "snr":
        return ratio
    if weighting == "truncated_snr":
        return ratio.clamp(min=1)
    if weighting == "snr_plus_one":
        return ratio + 1
    raise ConfigError(f"losses.weighting {weighting!r} is unknown; choose uniform, snr, truncated_snr or snr_plus_one")


def _estimate(renderer: DiffusionRenderer, x_t: Tensor, t: Tensor, features: RendererFeatures) -> Tensor:
    """The x0 (B, 3, H, W) that a renderer's answer implies, in float32."""
    output = renderer.denoise(x_t, t, features).float()
    return x0_from_output(output, x_t, t, renderer.schedule, renderer.config.prediction)
