"""Objective of the first order motion model (FOMM section 3.3 and its released training)."""

from dataclasses import dataclass

from torch import Tensor, nn

from fadm.coarse.fomm import FOMM, FOMMConfig
from fadm.coarse.keypoints import Keypoints, draw_gaussians
from fadm.coarse.motion import KEYPOINT_VARIANCE
from fadm.training.losses.discriminator import AdversarialLoss, Discriminator, DiscriminatorConfig
from fadm.training.losses.equivariance import (
    DeformationConfig,
    draw_deformation,
    measure_jacobian_error,
    measure_position_error,
)
from fadm.training.losses.reconstruction import ReconstructionConfig, ReconstructionLoss, check_weights
from fadm.training.objective import Batch, Objective, ObjectiveOutput


@dataclass(frozen=True, kw_only=True)
class FOMMObjectiveConfig:
    """The network and its losses; the defaults are the released vox-256 training's.

    A loss of weight 0 is left out; without an adversarial loss there is no discriminator and no feature matching.

    Attributes:
        network: Sizes of the motion model.
        reconstruction: Losses between the generated picture and the driving frame.
        discriminator: Sizes of the discriminator.
        deformation: Random deformations of the equivariance losses.
        adversarial_loss: The kind of adversarial loss.
        equivariance_weight: Weight of the key points' equivariance.
        jacobian_weight: Weight of their Jacobians' equivariance.
        adversarial_weight: Weight of the adversarial loss.
    """

    network: FOMMConfig = FOMMConfig()
    reconstruction: ReconstructionConfig = ReconstructionConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    deformation: DeformationConfig = DeformationConfig()
    adversarial_loss: AdversarialLoss = "least_squares"
    equivariance_weight: float = 10.0
    jacobian_weight: float = 10.0
    adversarial_weight: float = 0.0


class FOMMTraining(nn.Module):
    """The model and its losses as one forward pass."""

    def __init__(self, config: FOMMObjectiveConfig, fomm: FOMM, reconstruction: ReconstructionLoss) -> None:
        super().__init__()
        self.config = config
        self.fomm = fomm
        self.reconstruction = reconstruction

    def forward(self, batch: Batch, discriminator: Discriminator | None) -> ObjectiveOutput:
        """Compute the generator's losses on a batch.

        Args:
            batch: `source` and `driving` (B, 3, H, W) in 0..1, `seed` (B,) int64.
            discriminator: For the adversarial losses; None leaves them out.

        Returns:
            The losses, and the pictures `prediction` and, for a discriminator that sees key points, `keypoints`.

        Raises:
            OptionError: The sides of the pictures do not fit the networks.
        """
        source, driving = batch["source"], batch["driving"]
        state = self.fomm.prepare(source)
        keypoints = self.fomm.detect(driving)
        motion = self.fomm.dense_motion(source, state.keypoints, keypoints)
        prediction = self.fomm.generator(state.features, motion).float()
        pictures = {"prediction": prediction}
        if discriminator is not None and discriminator.sees_keypoints:
            size = (driving.shape[2], driving.shape[3])
            pictures["keypoints"] = draw_gaussians(keypoints.positions.detach(), size, KEYPOINT_VARIANCE)
        losses = self.reconstruction(prediction, driving, discriminator, pictures.get("keypoints"))
        return ObjectiveOutput(losses | self._equivariance_losses(driving, batch["seed"], keypoints), pictures)

    def _equivariance_losses(self, driving: Tensor, seeds: Tensor, keypoints: Keypoints) -> dict[str, Tensor]:
        config = self.config
        if not (config.equivariance_weight or config.jacobian_weight):
            return {}
        deformation = draw_deformation(seeds.tolist(), config.deformation, driving.device)
        deformed = self.fomm.detect(deformation.apply(driving))
        losses = {}
        if config.equivariance_weight:
            error = measure_position_error(keypoints.positions, deformed.positions, deformation)
            losses["equivariance"] = config.equivariance_weight * error
        if config.jacobian_weight and keypoints.jacobians is not None:
            error = measure_jacobian_error(keypoints, deformed, deformation)
            losses["jacobian_equivariance"] = config.jacobian_weight * error
        return losses


def build_fomm_objective(config: FOMMObjectiveConfig, features: nn.Module | None = None) -> Objective:
    """Build the motion model, its losses and, for an adversarial loss, its discriminator.

    Args:
        config: Sizes and weights.
        features: Features to use in place of the pretrained ones (see PerceptualLoss).

    Returns:
        The objective; its network is called `fomm`.

    Raises:
        ConfigError: A weight is negative, or a stride of the pretrained features does not exist.
        PackageError: The pretrained features are needed and not installed.
    """
    check_weights("objective", config)
    check_weights("objective.reconstruction", config.reconstruction)
    has_discriminator = config.adversarial_weight > 0
    discriminator = (
        Discriminator(config.discriminator, config.network.num_keypoints, config.adversarial_loss)
        if has_discriminator
        else None
    )
    reconstruction = ReconstructionLoss(config.reconstruction, config.adversarial_weight, features)
    fomm = FOMM(config.network)
    return Objective(FOMMTraining(config, fomm, reconstruction), discriminator, {"fomm": fomm})
