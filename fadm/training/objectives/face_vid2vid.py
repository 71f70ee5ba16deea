"""Objective of Face vid2vid (arXiv 2011.15126, section 3 and appendix)."""

from dataclasses import dataclass

from torch import Tensor, nn

from fadm.coarse.face_vid2vid import FaceVid2Vid, FaceVid2VidConfig
from fadm.coarse.face_vid2vid.head_pose import HeadPose, pose_keypoints
from fadm.coarse.keypoints import Keypoints, draw_gaussians
from fadm.coarse.motion import KEYPOINT_VARIANCE
from fadm.errors import ConfigError
from fadm.training.losses.discriminator import AdversarialLoss, Discriminator, DiscriminatorConfig
from fadm.training.losses.equivariance import DeformationConfig, draw_deformation, measure_position_error
from fadm.training.losses.priors import measure_crowding, measure_depth_error, measure_expression, measure_pose_error
from fadm.training.losses.reconstruction import ReconstructionConfig, ReconstructionLoss, check_weights
from fadm.training.objective import Batch, Objective, ObjectiveOutput


@dataclass(frozen=True, kw_only=True)
class FaceVid2VidObjectiveConfig:
    """The network and its losses; the defaults are the paper's.

    A loss of weight 0 is left out; without an adversarial loss there is no discriminator and no feature matching.

    Attributes:
        network: Sizes of the network.
        reconstruction: Losses between the generated picture and the driving frame.
        discriminator: Sizes of the discriminator.
        deformation: Random deformations of the equivariance loss.
        adversarial_loss: The kind of adversarial loss.
        keypoint_distance: Squared distance that key points keep from each other.
        keypoint_depth: Their mean z.
        equivariance_weight: Weight of the key points' equivariance.
        keypoint_prior_weight: Weight of the key points' distance and depth.
        head_pose_weight: Weight of the head pose's error; needs `pose` in the batch.
        expression_weight: Weight of the expression's size.
        adversarial_weight: Weight of the adversarial loss.
    """

    network: FaceVid2VidConfig = FaceVid2VidConfig()
    reconstruction: ReconstructionConfig = ReconstructionConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    deformation: DeformationConfig = DeformationConfig()
    adversarial_loss: AdversarialLoss = "hinge"
    keypoint_distance: float = 0.1
    keypoint_depth: float = 0.33
    equivariance_weight: float = 20.0
    keypoint_prior_weight: float = 10.0
    head_pose_weight: float = 20.0
    expression_weight: float = 5.0
    adversarial_weight: float = 1.0


class FaceVid2VidTraining(nn.Module):
    """The model and its losses as one forward pass."""

    def __init__(
        self, config: FaceVid2VidObjectiveConfig, model: FaceVid2Vid, reconstruction: ReconstructionLoss
    ) -> None:
        super().__init__()
        self.config = config
        self.model = model
        self.reconstruction = reconstruction

    def forward(self, batch: Batch, discriminator: Discriminator | None) -> ObjectiveOutput:
        """Compute the generator's losses on a batch.

        Args:
            batch: `source` and `driving` (B, 3, H, W) in 0..1, `seed` (B,) int64 and, for the head-pose loss, `pose`
                (B, 3): yaw, pitch and roll of the driving head in degrees, as `rotation_angles` gives them.
            discriminator: For the adversarial losses; None leaves them out.

        Returns:
            The losses, and the pictures `prediction` and, for a discriminator that sees key points, `keypoints`.

        Raises:
            OptionError: The sides of the pictures do not fit the networks.
            ConfigError: There is a head-pose loss and no head poses.
        """
        source, driving = batch["source"], batch["driving"]
        state = self.model.prepare(source)
        pose = self.model.head_pose(driving)
        keypoints = pose_keypoints(state.canonical, pose)
        motion = self.model.dense_motion(state.volume, pose_keypoints(state.canonical, state.pose), keypoints)
        prediction = self.model.generator(state.volume, motion).float()
        pictures = {"prediction": prediction}
        if discriminator is not None and discriminator.sees_keypoints:
            size = (driving.shape[2], driving.shape[3])
            flat = keypoints.positions[..., :2].detach()
            pictures["keypoints"] = draw_gaussians(flat, size, KEYPOINT_VARIANCE)
        losses = self.reconstruction(prediction, driving, discriminator, pictures.get("keypoints"))
        losses |= self._equivariance_loss(batch, state.canonical, keypoints)
        return ObjectiveOutput(losses | self._prior_losses(batch, pose, keypoints), pictures)

    def _equivariance_loss(self, batch: Batch, canonical: Tensor, keypoints: Keypoints) -> dict[str, Tensor]:
        """Compute the equivariance loss of the key points' x and y; depth does not take part in the deformation."""
        config, driving = self.config, batch["driving"]
        if not config.equivariance_weight:
            return {}
        deformation = draw_deformation(batch["seed"].tolist(), config.deformation, driving.device)
        deformed = pose_keypoints(canonical, self.model.head_pose(deformation.apply(driving)))
        error = measure_position_error(keypoints.positions[..., :2], deformed.positions[..., :2], deformation)
        return {"equivariance": config.equivariance_weight * error}

    def _prior_losses(self, batch: Batch, pose: HeadPose, keypoints: Keypoints) -> dict[str, Tensor]:
        config, losses = self.config, {}
        if config.keypoint_prior_weight:
            error = measure_crowding(keypoints.positions, config.keypoint_distance)
            error = error + measure_depth_error(keypoints.positions, config.keypoint_depth)
            losses["keypoint_prior"] = config.keypoint_prior_weight * error
        if config.head_pose_weight:
            if "pose" not in batch:
                raise ConfigError(
                    f"head_pose_weight is {config.head_pose_weight} and the data carry no head poses: "
                    "prepare clips with tracked landmarks, or set head_pose_weight = 0"
                )
            losses["head_pose"] = config.head_pose_weight * measure_pose_error(pose, batch["pose"])
        if config.expression_weight:
            losses["expression"] = config.expression_weight * measure_expression(pose.expression)
        return losses


def build_face_vid2vid_objective(config: FaceVid2VidObjectiveConfig, features: nn.Module | None = None) -> Objective:
    """Build the network, its losses and, for an adversarial loss, its discriminator.

    Args:
        config: Sizes and weights.
        features: Features to use in place of the pretrained ones (see PerceptualLoss).

    Returns:
        The objective; its network is called `face_vid2vid`.

    Raises:
        ConfigError: A weight is negative, a volume is too flat, or a stride of the pretrained features does not exist.
        PackageError: The pretrained features are needed and not installed.
    """
    check_weights("objective", config)
    check_weights("objective.reconstruction", config.reconstruction)
    _check_depths(config.network)
    has_discriminator = config.adversarial_weight > 0
    discriminator = (
        Discriminator(config.discriminator, config.network.num_keypoints, config.adversarial_loss)
        if has_discriminator
        else None
    )
    reconstruction = ReconstructionLoss(config.reconstruction, config.adversarial_weight, features)
    model = FaceVid2Vid(config.network)
    return Objective(FaceVid2VidTraining(config, model, reconstruction), discriminator, {"face_vid2vid": model})


def _check_depths(network: FaceVid2VidConfig) -> None:
    """Raise ConfigError for volumes of fewer planes than a convolution spans.

    PyTorch 2.13 on a CPU then computes wrong gradients in bfloat16, and writes outside of their memory.
    """
    depths = {"volume_depth": (network.volume_depth, 7), "keypoint_depth": (network.keypoint_depth, 3)}
    for name, (depth, smallest) in depths.items():
        if depth < smallest:
            raise ConfigError(f"network.{name} is {depth}: training needs at least {smallest} planes")
