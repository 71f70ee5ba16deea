"""A linear face model over the 478 landmarks, and its fit to tracked faces by linear least squares.

A face is  scale * R(head) * (mean + B_identity b + B_expression e + jaw) + camera,  where the jaw turns the
landmarks by their skinning weights about a pivot between the ears. With a unit Gaussian prior on b and e the
fit is a ridge regression. One unit is the distance between the outer corners of the eyes; x is right, y down,
z away from the camera.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path

import torch
from torch import Tensor, nn

from fadm.attributes.face_attributes import NUM_EXPRESSION, FaceAttributes
from fadm.attributes.rotation import (
    axis_angle_to_matrix,
    cross_matrix,
    fit_similarity,
    matrix_to_axis_angle,
)
from fadm.config import config_from_dict
from fadm.face import topology
from fadm.weights.store import load_into, load_weights, save_weights


@dataclass(frozen=True, kw_only=True)
class LandmarkModelConfig:
    """Sizes of the model and the strength of its priors."""

    num_identity: int = 40
    num_expression: int = NUM_EXPRESSION
    noise: float = 0.01  # standard deviation of a tracked landmark, in model units
    jaw_deviation: float = 0.1  # standard deviation of the jaw's rotation, in radians


class LandmarkModel(nn.Module):
    """Mean (478, 3), identity basis, expression basis, jaw weights and pivot, learned from tracked clips."""

    mean: Tensor
    identity_basis: Tensor
    expression_basis: Tensor
    jaw_weights: Tensor
    jaw_pivot: Tensor

    def __init__(self, config: LandmarkModelConfig, tensors: Mapping[str, Tensor] | None = None):
        super().__init__()
        self.config = config
        n = topology.NUM_LANDMARKS
        shapes = {
            "mean": (n, 3),
            "identity_basis": (config.num_identity, n, 3),
            "expression_basis": (config.num_expression, n, 3),
            "jaw_weights": (n,),
            "jaw_pivot": (3,),
        }
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape) if tensors is None else tensors[name])

    def shape(self, identity: Tensor) -> Tensor:
        """Identity coefficients (B, I) -> neutral landmarks (B, 478, 3) in model units."""
        return self.mean + torch.einsum("bi,inc->bnc", identity, self.identity_basis)

    def displacement(self, expression: Tensor, jaw: Tensor) -> Tensor:
        """Expression (B, 50) and jaw rotation (B, 3) -> shift of the landmarks (B, 478, 3), model units."""
        linear = torch.einsum("be,enc->bnc", expression, self.expression_basis)
        arm = self.mean - self.jaw_pivot
        turned = arm @ axis_angle_to_matrix(jaw).transpose(1, 2) - arm
        return linear + self.jaw_weights[:, None] * turned

    def fit(self, landmarks: Tensor, identity: Tensor | None = None) -> tuple[FaceAttributes, Tensor]:
        """Fit tracked landmarks (B, 478, 3) of one person in pixels -> attributes, identity (1, I).

        Without an identity it is estimated from all the frames given, as what their expressions share.
        """
        landmarks = landmarks.float()
        residual, head, camera = self._fit_pose(landmarks)
        if identity is None:
            joint = torch.cat([self.identity_basis, self._motion_basis()])
            identity = (self._solver(joint) @ residual.mean(0).flatten())[None, : self.config.num_identity]
        residual, head, camera = self._fit_pose(landmarks, identity)
        motion = residual.flatten(1) @ self._solver(self._motion_basis()).T
        expression, jaw = motion[:, :-3], motion[:, -3:] * self.config.jaw_deviation
        attributes = FaceAttributes(expression, torch.cat([head, jaw], 1), camera, self._gaze(residual))
        return attributes, identity

    def canonical(self, landmarks: Tensor, identity: Tensor) -> Tensor:
        """Tracked landmarks (B, 478, 3) in pixels without their pose: (B, 478, 3) in model units."""
        return self.shape(identity) + self._fit_pose(landmarks.float(), identity)[0]

    def _fit_pose(self, landmarks: Tensor, identity: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Landmarks -> what the neutral face leaves unexplained (B, 478, 3), head (B, 3), camera (B, 3).

        Pose comes from the landmarks that move with the skull.
        """
        batch = len(landmarks)
        neutral = self.shape(landmarks.new_zeros(1, self.config.num_identity) if identity is None else identity)
        stable = list(topology.STABLE)
        scale, rotation, translation = fit_similarity(neutral[:, stable].expand(batch, -1, -1), landmarks[:, stable])
        unposed = (landmarks - translation[:, None]) @ rotation / scale[:, None, None]
        camera = torch.cat([scale[:, None], translation[:, :2]], 1)
        return unposed - neutral, matrix_to_axis_angle(rotation), camera

    def _motion_basis(self) -> Tensor:
        """Expression basis and the jaw's rotation linearised about rest (50 + 3, 478, 3), unit priors."""
        axes = cross_matrix(torch.eye(3, device=self.mean.device)) * self.config.jaw_deviation
        turn = torch.einsum("kcd,nd->knc", axes, self.mean - self.jaw_pivot)
        return torch.cat([self.expression_basis, turn * self.jaw_weights[:, None]])

    def _solver(self, basis: Tensor) -> Tensor:
        """Ridge regression onto a basis with unit Gaussian priors: (K, 478, 3) -> (K, 478 * 3)."""
        matrix = basis.flatten(1)
        gram = matrix @ matrix.T + self.config.noise**2 * torch.eye(len(matrix), device=matrix.device)
        return torch.linalg.solve(gram, matrix)

    def _gaze(self, residual: Tensor) -> Tensor:
        """Shift of both irises against the corners of their eye (B, 4), model units."""
        shifts = [
            residual[:, list(iris)].mean(1) - residual[:, [upper[0], upper[-1]]].mean(1)
            for upper, _, iris in topology.EYES
        ]
        return torch.cat([shift[:, :2] for shift in shifts], 1)


def pose_landmarks(shape: Tensor, attributes: FaceAttributes) -> Tensor:
    """Landmarks in the model's frame (B, 478, 3) put where head pose and camera say: pixels (B, 478, 3)."""
    rotation, camera = axis_angle_to_matrix(attributes.head), attributes.camera
    place = torch.nn.functional.pad(camera[:, 1:], (0, 1))
    return camera[:, :1, None] * (shape @ rotation.transpose(1, 2)) + place[:, None]


@dataclass(frozen=True)
class FittedFace:
    """One person's face as the model sees it: landmarks (1, 478, 3) in pixels, in the model's frame, numbers.

    canonical (1, 478, 3): the person's own landmarks without pose, in model units.
    """

    landmarks: Tensor
    canonical: Tensor
    attributes: FaceAttributes
    identity: Tensor


def fit_face(model: LandmarkModel, landmarks: Tensor) -> FittedFace:
    """Fit a single tracked face (478, 3) in pixels."""
    attributes, identity = model.fit(landmarks[None])
    return FittedFace(landmarks[None].float(), model.canonical(landmarks[None], identity), attributes, identity)


def save_landmark_model(model: LandmarkModel, path: Path, metadata: Mapping[str, str]) -> None:
    """Write a model in half precision; metadata: what it was learned from, under which terms."""
    tensors = {name: tensor.half() for name, tensor in model.state_dict().items()}
    save_weights(path, tensors, config=asdict(model.config), metadata=metadata)


def load_landmark_model(path: Path | None = None) -> LandmarkModel:
    """Read a model; without a path the one that the package ships. Raises WeightsError."""
    if path is None:
        with as_file(files("fadm.weights") / "landmark_model.safetensors") as shipped:
            return load_landmark_model(shipped)
    tensors, metadata = load_weights(path)
    config = config_from_dict(LandmarkModelConfig, metadata["config"], source=str(path))
    model = LandmarkModel(config)
    load_into(model, tensors, source=str(path))
    return model
