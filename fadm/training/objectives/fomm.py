"""What the first order motion model minimises (FOMM section 3.3 and its released training)."""

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
from fadm.training.losses.reconstruction import (
    ReconstructionConfig,
    ReconstructionLoss,
    check_weights,
)
from fadm.training.objective import Batch, Objective, Outcome


@dataclass(frozen=True, kw_only=True)
class FOMMObjectiveConfig:
    """The network and what it minimises; the defaults are the released vox-256 training's.

    A loss of weight 0 is left out; without an adversarial loss there is no discriminator and no feature matching.
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

    def forward(self, batch: Batch, discriminator: Discriminator | None) -> Outcome:
        """batch: source and driving (B, 3, H, W) in 0..1, seed (B,) int64. Raises OptionError for their sides."""
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
        return Outcome(losses | self._compare_deformed(driving, batch["seed"], keypoints), pictures)

    def _compare_deformed(self, driving: Tensor, seeds: Tensor, keypoints: Keypoints) -> dict[str, Tensor]:
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
    """Everything that training needs; `features` replace the pretrained ones (see PerceptualLoss).

    Raises ConfigError for weights that are negative, PackageError where the pretrained features are missing.
    """
    check_weights(config, config.reconstruction)
    has_discriminator = config.adversarial_weight > 0
    discriminator = (
        Discriminator(config.discriminator, config.network.num_keypoints, config.adversarial_loss)
        if has_discriminator
        else None
    )
    reconstruction = ReconstructionLoss(config.reconstruction, config.adversarial_weight, features)
    fomm = FOMM(config.network)
    return Objective(FOMMTraining(config, fomm, reconstruction), discriminator, {"fomm": fomm})
