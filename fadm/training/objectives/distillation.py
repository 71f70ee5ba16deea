"""Objective of progressive distillation: a student reaches in one step what its teacher reaches in several.

Salimans & Ho 2022 (arXiv 2202.00512), section 3 and algorithm 2, for teachers with any larger number of steps. One
departure: at the first timestep x_t is noise alone, as in inference, and not the noised frame.
"""

from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from fadm.device import seeded_generator
from fadm.diffusion.schedule import alpha_sigma, q_sample, x0_from_output
from fadm.errors import ConfigError
from fadm.metrics.perceptual import perceptual_distance
from fadm.networks.efficientnet import EfficientNetLite0, load_efficientnet_lite0
from fadm.rendering.conditions import inference_conditions
from fadm.rendering.renderer import DiffusionRenderer, RendererFeatures
from fadm.training.objective import Batch, Objective, ObjectiveOutput
from fadm.training.objectives.distillation_targets import Weighting, plan_targets, weigh_steps
from fadm.training.options import check_ranges


@dataclass(frozen=True, kw_only=True)
class DistillationLosses:
    """What a student minimises; the defaults are the paper's loss alone. A loss of weight 0 is left out.

    Attributes:
        denoising_weight: Weight of the squared error of x0.
        weighting: How that error is weighted at each timestep, a function of the signal-to-noise ratio alpha^2 /
            sigma^2 (section 4).
        picture_weight: Weight of the L1 error of the student's picture.
        attention_weight: How many times more that error counts on eyes and mouth.
        perceptual_weight: Weight of the EfficientNet-Lite0 distance of the student's picture.
        perceptual_strides: Strides of the features that are compared.
        real_weight: Share of the two errors that is measured against the driving frame, from 0 to 1; the rest is
            measured against the teacher's picture.
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
    """One stage of a distillation.

    Attributes:
        teacher_steps: Sampling steps of the teacher.
        student_steps: Sampling steps of the student, at most as many.
        clip: Range to which each estimate of the teacher is limited, as in `RenderOptions`.
        losses: What the student minimises.
    """

    teacher_steps: int = 100
    student_steps: int = 20
    clip: tuple[float, float] | None = None
    losses: DistillationLosses = DistillationLosses()

    def __post_init__(self) -> None:
        """Raise ConfigError for steps or weights that are not possible."""
        if not 1 <= self.student_steps <= self.teacher_steps:
            raise ConfigError(
                f"student_steps {self.student_steps} must be at least 1 and at most teacher_steps {self.teacher_steps}"
            )
        names = ("denoising", "picture", "attention", "perceptual")
        weights = dict.fromkeys((f"{name}_weight" for name in names), (0, None))
        check_ranges("objective.losses", self.losses, real_weight=(0, 1), **weights)


@dataclass(frozen=True, kw_only=True)
class DistillationStages:
    """Stages one after the other, in which each student is the next teacher.

    Attributes:
        teacher_steps: Sampling steps of the first teacher.
        steps: Sampling steps of each student; they fall from stage to stage.
        clip: Range to which each estimate of a teacher is limited, as in `RenderOptions`.
        losses: What each student minimises.
    """

    teacher_steps: int = 100
    steps: tuple[int, ...] = (20, 4, 1)
    clip: tuple[float, float] | None = None
    losses: DistillationLosses = DistillationLosses()

    def __post_init__(self) -> None:
        """Raise ConfigError for steps that do not fall."""
        steps = (self.teacher_steps, *self.steps)
        if not self.steps or any(student >= teacher for teacher, student in pairwise(steps)):
            raise ConfigError(f"steps {self.steps} must fall from stage to stage, from below {self.teacher_steps}")
        self.configs()

    def configs(self) -> list[DistillationConfig]:
        """Return the stages in their order."""
        return [
            DistillationConfig(teacher_steps=teacher, student_steps=student, clip=self.clip, losses=self.losses)
            for teacher, student in pairwise((self.teacher_steps, *self.steps))
        ]


class DistillationTraining(nn.Module):
    """Student and frozen teacher as one forward pass."""

    steps: Tensor
    shares: Tensor

    def __init__(
        self, config: DistillationConfig, teacher: DiffusionRenderer, features: EfficientNetLite0 | None
    ) -> None:
        """Copy the teacher twice: one copy stays as it is, the other is the student.

        Args:
            config: Steps and losses.
            teacher: A trained renderer, not changed.
            features: Frozen network of the perceptual distance; None leaves that loss out.
        """
        super().__init__()
        self.config = config
        self.student = deepcopy(teacher).requires_grad_(True)
        self.teacher = deepcopy(teacher).requires_grad_(False)
        self.features = features
        steps, shares = plan_targets(teacher.schedule, config.teacher_steps, config.student_steps)
        self.register_buffer("steps", steps, persistent=False)
        self.register_buffer("shares", shares, persistent=False)
        self.train()

    def train(self, mode: bool = True) -> "DistillationTraining":
        """Set the student's mode; the teacher and the features stay in evaluation mode.

        Args:
            mode: True for training.

        Returns:
            The module itself.
        """
        super().train(mode)
        for frozen in (self.teacher, self.features):
            if frozen is not None:
                frozen.eval()
        return self

    def forward(self, batch: Batch, discriminator: nn.Module | None) -> ObjectiveOutput:
        """Compute the student's losses on a batch.

        Args:
            batch: `source`, `driving` and `coarse` (B, 3, H, W) and `attention` (B, 1, H, W) in 0..1,
                `attributes_source` and `attributes_driving` (B, 56), `seed` (B,) int64; for a renderer with person
                masks `person` (B, 2, H, W) in 0..1.
            discriminator: Not used.

        Returns:
            The losses, and the pictures `coarse`, `teacher`, `prediction` (the student's) and `driving`.
        """
        student, coarse, driving = self.student, batch["coarse"], batch["driving"]
        conditions = inference_conditions(
            coarse, batch["attributes_source"], batch["attributes_driving"], batch["source"], batch.get("person")
        )
        interval, eps = self._draw(batch)
        t = self.steps[interval, 0]
        x_t = q_sample(student.to_x0(driving, coarse), t, eps, student.schedule)
        x_t = torch.where((t == student.config.timesteps - 1).view(-1, 1, 1, 1), eps, x_t)
        with torch.no_grad():
            target = self.sample_target(x_t, interval, self.teacher.encode(conditions), coarse)
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
        return ObjectiveOutput(losses | self._picture_losses(pictures, batch["attention"]), pictures)

    def sample_target(self, x_t: Tensor, interval: Tensor, features: RendererFeatures, coarse: Tensor) -> Tensor:
        """Find the x0 with which one DDIM step leads to where the teacher's steps lead (algorithm 2).

        It is the mean of the teacher's estimates in the shares of `plan_targets`, which unlike the formula in the
        paper loses no digits.

        Args:
            x_t: The noisy pictures (B, 3, H, W) that the student begins with.
            interval: The student's steps (B,) int64, from 0.
            features: The teacher's encoded conditions.
            coarse: Coarse frames (B, 3, H, W) in 0..1.

        Returns:
            The targets (B, 3, H, W).
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
        """Compute the weighted losses on the student's picture, against the teacher's and the driving frame."""
        options, losses = self.config.losses, {}
        shares = {"teacher": 1 - options.real_weight, "driving": options.real_weight}
        shares = {name: share for name, share in shares.items() if share}
        if options.picture_weight:
            emphasis = options.picture_weight * (1 + options.attention_weight * attention)
            errors = [share * (pictures["prediction"] - pictures[name]).abs() for name, share in shares.items()]
            losses["picture"] = (emphasis * torch.stack(errors).sum(0)).mean()
        if self.features is not None:
            predicted = self.features.features(pictures["prediction"], options.perceptual_strides)
            losses["perceptual"] = torch.zeros((), device=attention.device)
            for name, share in shares.items():
                expected = self.features.features(pictures[name], options.perceptual_strides)
                distance = perceptual_distance(predicted, expected).mean()
                losses["perceptual"] = losses["perceptual"] + options.perceptual_weight * share * distance
        return losses

    def _draw(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Draw each sample's step of the student (B,) and eps (B, 3, H, W)."""
        shape, device = batch["driving"].shape[1:], batch["driving"].device
        interval, eps = [], []
        for seed in batch["seed"].tolist():
            generator = seeded_generator(seed)
            interval.append(int(torch.randint(self.config.student_steps, (), generator=generator)))
            eps.append(torch.randn(shape, generator=generator))
        return torch.tensor(interval, device=device), torch.stack(eps).to(device)


def build_distillation_objective(config: DistillationConfig, teacher: DiffusionRenderer) -> Objective:
    """Build one stage; the student begins as a copy of the teacher.

    Args:
        config: Steps and losses.
        teacher: A trained renderer, not changed.

    Returns:
        The objective; its network, the student, is called `fadm`.

    Raises:
        OptionError: There are more sampling steps than the teacher has timesteps.
        PackageError: The pretrained features are needed and not installed.
    """
    features = load_efficientnet_lite0() if config.losses.perceptual_weight else None
    training = DistillationTraining(config, teacher, features)
    return Objective(training, None, {"fadm": training.student})


def _estimate(renderer: DiffusionRenderer, x_t: Tensor, t: Tensor, features: RendererFeatures) -> Tensor:
    """Compute the x0 (B, 3, H, W) that a renderer's output implies, in float32."""
    output = renderer.denoise(x_t, t, features).float()
    return x0_from_output(output, x_t, t, renderer.schedule, renderer.config.prediction)
