"""Objective of a renderer: the paper's losses and, for few steps, losses on the predicted picture itself."""

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
from fadm.training.objective import Batch, Objective, ObjectiveOutput
from fadm.training.options import check_ranges

WINDOW_TURN, WINDOW_ZOOM = 0.2, 0.15  # of the face mesh's window: radians, and share of its side


@dataclass(frozen=True, kw_only=True)
class RendererObjectiveConfig:
    """The renderer and its losses; the defaults are the paper's losses alone. A loss of weight 0 is left out.

    Attributes:
        renderer: The network and what it predicts.
        losses: The paper's losses: error of the denoiser, and colour loss.
        last_step_share: Share of the samples at the last timestep, where few-step sampling begins; the timesteps of
            the others are uniform.
        driving_appearance: Share of the samples whose appearance condition is the driving frame, as in the paper; it
            is the coarse frame for the others, as in inference.
        picture_weight: Weight of the L1 error of the predicted picture.
        attention_weight: How many times more that error counts on eyes and mouth.
        perceptual_weight: Weight of the EfficientNet-Lite0 distance of the predicted picture.
        perceptual_strides: Strides of the features that are compared.
        perceptual_share: Share of each batch that is compared, since this costs as much as all the rest.
        landmark_weight: Weight of the distance of the landmarks that a face mesh finds, in shares of its window.
        adversarial_weight: Weight of the hinge loss against a patch discriminator.
        discriminator: Sizes of the discriminator.
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
        check_ranges("objective.losses", self.losses, denoising_weight=(0, None), color_weight=(0, None))
        check_ranges("objective", self, **shares, **dict.fromkeys((f"{name}_weight" for name in names), (0, None)))


class RendererTraining(nn.Module):
    """The renderer and its losses as one forward pass."""

    def __init__(
        self, config: RendererObjectiveConfig, features: EfficientNetLite0 | None, mesh: FaceMesh | None
    ) -> None:
        """Build the renderer.

        Args:
            config: Sizes and weights.
            features: Frozen network of the perceptual distance; None leaves that loss out.
            mesh: Frozen network of the landmarks' distance; None leaves that loss out.
        """
        super().__init__()
        self.config = config
        self.renderer = DiffusionRenderer(config.renderer)
        self.features, self.mesh = features, mesh

    def forward(self, batch: Batch, discriminator: Discriminator | None) -> ObjectiveOutput:
        """Compute the renderer's losses on a batch.

        Args:
            batch: `source`, `driving` and `coarse` (B, 3, H, W) and `attention` (B, 1, H, W) in 0..1,
                `attributes_source` and `attributes_driving` (B, 56), `seed` (B,) int64; for the landmarks' distance
                `landmarks` (B, 478, 3) of the driving frame in pixels; for a renderer with person masks `person`
                (B, 2, H, W) in 0..1.
            discriminator: For the adversarial loss; None leaves it out.

        Returns:
            The losses, and the pictures `coarse`, `prediction` and `driving`.
        """
        driving, coarse = batch["driving"], batch["coarse"]
        t, eps, has_driving_appearance = self._draw(batch)
        conditions = Conditions(
            coarse=coarse,
            appearance=torch.where(has_driving_appearance.view(-1, 1, 1, 1), driving, coarse),
            attributes_source=batch["attributes_source"],
            attributes_driving=batch["attributes_driving"],
            source=batch["source"],
            person=batch.get("person"),
            contours=batch.get("contours"),
        )
        output = self.renderer.loss(driving, t, eps, conditions, self.config.losses)
        losses = {"denoising": output.denoising, "color": output.color}
        losses |= self._picture_losses(output.picture, batch, discriminator)
        return ObjectiveOutput(losses, {"coarse": coarse, "prediction": output.picture, "driving": driving})

    def _picture_losses(self, picture: Tensor, batch: Batch, discriminator: Discriminator | None) -> dict[str, Tensor]:
        """Compute the weighted losses on the predicted picture (B, 3, H, W)."""
        config, driving, losses = self.config, batch["driving"], {}
        if config.picture_weight:
            error = (picture - driving).abs() * (1 + config.attention_weight * batch["attention"])
            losses["picture"] = config.picture_weight * error.mean()
        if self.features is not None:
            some = max(1, round(config.perceptual_share * len(driving)))
            predicted, real = (self.features.features(p[:some], config.perceptual_strides) for p in (picture, driving))
            losses["perceptual"] = config.perceptual_weight * perceptual_distance(predicted, real).mean()
        if self.mesh is not None:
            jitter = draw_jitter(batch["seed"])
            distance = landmark_distance(self.mesh, picture, driving, batch["landmarks"], jitter)
            losses["landmarks"] = config.landmark_weight * distance.mean()
        if discriminator is not None:
            scores = [score_as_convincing(discriminator.loss, j.scores) for j in discriminator.judge(picture)]
            losses["adversarial"] = config.adversarial_weight * torch.stack(scores).sum()
        return losses

    def _draw(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Draw each sample's t (B,), eps (B, 3, H, W) and whether its appearance is the driving frame's (B,)."""
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
    """Draw rotation and zoom of the face mesh's window.

    Args:
        seeds: The samples' seeds (B,).

    Returns:
        Rotation in radians and zoom as a share of the side (B, 2).
    """
    uniform = [torch.rand(2, generator=seeded_generator(seed, 1)) for seed in seeds.tolist()]
    return ((2 * torch.stack(uniform) - 1) * torch.tensor([WINDOW_TURN, WINDOW_ZOOM])).to(seeds.device)


def build_renderer_objective(config: RendererObjectiveConfig) -> Objective:
    """Build the renderer, its losses and, for an adversarial loss, its discriminator.

    Args:
        config: Sizes and weights.

    Returns:
        The objective; its network is called `fadm`.

    Raises:
        PackageError: A pretrained network is needed and not installed.
    """
    features = load_efficientnet_lite0() if config.perceptual_weight else None
    mesh = load_face_mesh() if config.landmark_weight else None
    training = RendererTraining(config, features, mesh)
    discriminator = (
        Discriminator(replace(config.discriminator, sees_keypoints=False), 0, "hinge")
        if config.adversarial_weight
        else None
    )
    return Objective(training, discriminator, {"fadm": training.renderer})
