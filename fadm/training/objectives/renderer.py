"""What a renderer minimises: the paper's losses and, for few steps, losses on the predicted picture itself."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from fadm.device import seeded_generator
from fadm.metrics.perceptual import perceptual_distance
from fadm.networks.efficientnet import EfficientNetLite0, load_efficientnet_lite0
from fadm.networks.face_mesh import FaceMesh, landmark_distance, load_face_mesh
from fadm.rendering.conditions import Conditions
from fadm.rendering.options import LossOptions, RendererConfig
from fadm.rendering.renderer import DiffusionRenderer
from fadm.training.losses.discriminator import Discriminator, DiscriminatorConfig, score_as_convincing
from fadm.training.objective import Batch, Objective, Outcome
from fadm.training.options import check_range

WINDOW_TURN, WINDOW_ZOOM = 0.2, 0.15  # of the face mesh's window: radians, and share of its side


@dataclass(frozen=True, kw_only=True)
class RendererObjectiveConfig:
    """The renderer and what it minimises; the defaults are the paper's losses alone.

    Beside them, each with its weight: L1 of the predicted picture, `attention_weight` times more where people look;
    its EfficientNet-Lite0 distance, of the share `perceptual_share` of each batch, since it costs as much as the rest;
    the distance of the landmarks that a face mesh sees in it, in shares of its window; a patch discriminator's loss.
    last_step_share: share of the samples at the last timestep, where few-step sampling begins; the others' are uniform.
    driving_appearance: share of the samples whose appearance is the driving frame's, as in the paper; the others' is
    the coarse frame's, as in inference.
    """

    renderer: RendererConfig = RendererConfig()
    losses: LossOptions = LossOptions()
    last_step_share: float = 0.0
    driving_appearance: float = 1.0
    picture_weight: float = 0.0
    attention_weight: float = 0.0
    perceptual_weight: float = 0.0
    perceptual_strides: tuple[int, ...] = (2, 4, 8, 16, 32)
    perceptual_share: float = 1.0
    landmark_weight: float = 0.0
    adversarial_weight: float = 0.0
    discriminator: DiscriminatorConfig = DiscriminatorConfig(width=16, max_channels=64)

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers out of range."""
        shares = dict.fromkeys(("last_step_share", "driving_appearance", "perceptual_share"), (0, 1))
        names = ("picture", "attention", "perceptual", "landmark", "adversarial")
        check_range("objective.losses", self.losses, denoising_weight=(0, None), color_weight=(0, None))
        check_range("objective", self, **shares, **dict.fromkeys((f"{name}_weight" for name in names), (0, None)))


class RendererTraining(nn.Module):
    """The renderer and its losses as one forward pass; features, mesh: frozen, for the distances that they measure."""

    def __init__(
        self, config: RendererObjectiveConfig, features: EfficientNetLite0 | None, mesh: FaceMesh | None
    ) -> None:
        super().__init__()
        self.config = config
        self.renderer = DiffusionRenderer(config.renderer)
        self.features, self.mesh = features, mesh

    def forward(self, batch: Batch, discriminator: Discriminator | None) -> Outcome:
        """batch: source, driving, coarse (B, 3, H, W) and attention (B, 1, H, W) in 0..1, attributes, seed (B,).

        landmarks (B, 478, 3): the driving frame's, in pixels. person (B, 2, H, W) in 0..1, if the renderer is told.
        """
        config, driving, coarse = self.config, batch["driving"], batch["coarse"]
        t, eps, has_driving_appearance = self._draw(batch)
        conditions = Conditions(
            coarse=coarse,
            appearance=torch.where(has_driving_appearance.view(-1, 1, 1, 1), driving, coarse),
            attributes_source=batch["attributes_source"],
            attributes_driving=batch["attributes_driving"],
            source=batch["source"],
            person=batch.get("person"),
        )
        answer = self.renderer.loss(driving, t, eps, conditions, config.losses)
        losses = {"denoising": answer.denoising, "color": answer.color}
        if config.picture_weight:
            error = (answer.picture - driving).abs() * (1 + config.attention_weight * batch["attention"])
            losses["picture"] = config.picture_weight * error.mean()
        if self.features is not None:
            some = max(1, round(config.perceptual_share * len(driving)))
            pictures = answer.picture[:some], driving[:some]
            made, real = (self.features.features(p, config.perceptual_strides) for p in pictures)
            losses["perceptual"] = config.perceptual_weight * perceptual_distance(made, real).mean()
        if self.mesh is not None:
            apart = landmark_distance(
                self.mesh, answer.picture, driving, batch["landmarks"], draw_jitter(batch["seed"])
            )
            losses["landmarks"] = config.landmark_weight * apart.mean()
        if discriminator is not None:
            scores = torch.stack(
                [score_as_convincing(discriminator.loss, j.scores) for j in discriminator.judge(answer.picture)]
            )
            losses["adversarial"] = config.adversarial_weight * scores.sum()
        return Outcome(losses, {"coarse": coarse, "prediction": answer.picture, "driving": driving})

    def _draw(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Each sample's t (B,), eps (B, 3, H, W) and whether its appearance is the driving frame's (B,)."""
        last, shape = self.config.renderer.timesteps - 1, batch["driving"].shape[1:]
        t, eps, appearance = [], [], []
        for seed in batch["seed"].tolist():
            generator = seeded_generator(seed)
            chances = torch.rand(2, generator=generator)
            step = int(torch.randint(last + 1, (), generator=generator))
            t.append(last if chances[0] < self.config.last_step_share else step)
            appearance.append(bool(chances[1] < self.config.driving_appearance))
            eps.append(torch.randn(shape, generator=generator))
        device = batch["driving"].device
        return torch.tensor(t, device=device), torch.stack(eps).to(device), torch.tensor(appearance, device=device)


def draw_jitter(seeds: Tensor) -> Tensor:
    """Rotation and zoom (B, 2) of the face mesh's window, from the samples' seeds (B,)."""
    draws = [torch.rand(2, generator=seeded_generator(seed, 1)) for seed in seeds.tolist()]
    return ((2 * torch.stack(draws) - 1) * torch.tensor([WINDOW_TURN, WINDOW_ZOOM])).to(seeds.device)


def build_renderer_objective(config: RendererObjectiveConfig) -> Objective:
    """Build renderer and, with an adversarial loss, discriminator. Raises PackageError for missing networks."""
    features = load_efficientnet_lite0() if config.perceptual_weight else None
    mesh = load_face_mesh() if config.landmark_weight else None
    training = RendererTraining(config, features, mesh)
    discriminator = (
        Discriminator(replace(config.discriminator, sees_keypoints=False), 0, "hinge")
        if config.adversarial_weight
        else None
    )
    return Objective(training, discriminator, {"fadm": training.renderer})
