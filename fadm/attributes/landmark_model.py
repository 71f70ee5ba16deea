"""A linear face model over the 478 landmarks, and its fit to tracked faces by linear least squares.

A face is  scale * R(head) * (mean + B_identity b + B_expression e + jaw) + camera,  where the jaw rotates the
landmarks by their skinning weights about a pivot between the ears. With unit Gaussian priors on b and e the fit
is a ridge regression. One model unit is the distance between the outer corners of the eyes; x is right, y down,
z away from the camera.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path

import torch
from torch import Tensor, nn

from fadm.attributes.blendshape_map import BlendshapeMap, map_shapes
from fadm.attributes.face_attributes import NUM_EXPRESSION, FaceAttributes
from fadm.attributes.lids import measure_openings
from fadm.attributes.rotation import (
    axis_angle_to_matrix,
    cross_matrix,
    fit_similarity,
    matrix_to_axis_angle,
)
from fadm.config import config_from_dict
from fadm.errors import WeightsError
from fadm.face import topology
from fadm.face.landmarker import LANDMARK_MODEL
from fadm.weights.registry import describe_weights
from fadm.weights.store import hash_tensors, load_into, load_weights, save_weights

NUMBERS = ("mean", "identity_basis", "expression_basis", "jaw_weights", "jaw_pivot")  # give them their meaning


@dataclass(frozen=True, kw_only=True)
class LandmarkModelConfig:
    """Sizes of the model and the strength of its priors.

    Attributes:
        num_identity: Vectors of the identity basis.
        num_expression: Vectors of the expression basis.
        noise: Standard deviation of a tracked landmark, in model units.
        jaw_deviation: Standard deviation of the jaw's rotation, in radians.
        has_blendshapes: The model holds a map between its numbers and the blendshape coefficients.
    """

    num_identity: int = 40
    num_expression: int = NUM_EXPRESSION
    noise: float = 0.004  # standard deviation of a tracked landmark, in model units
    jaw_deviation: float = 0.1  # standard deviation of the jaw's rotation, in radians
    has_blendshapes: bool = False


class LandmarkModel(nn.Module):
    """Mean (478, 3), identity basis, expression basis, jaw weights and pivot, trained on tracked clips.

    Args:
        config: Sizes and priors.
        tensors: The model's arrays by name; zeros where absent.
    """

    mean: Tensor
    identity_basis: Tensor
    expression_basis: Tensor
    jaw_weights: Tensor
    jaw_pivot: Tensor

    def __init__(self, config: LandmarkModelConfig, tensors: Mapping[str, Tensor] | None = None):
        super().__init__()
        self.config = config
        n = topology.NUM_LANDMARKS
        shapes: dict[str, tuple[int, ...]] = {
            "mean": (n, 3),
            "identity_basis": (config.num_identity, n, 3),
            "expression_basis": (config.num_expression, n, 3),
            "jaw_weights": (n,),
            "jaw_pivot": (3,),
        }
        if config.has_blendshapes:
            shapes |= map_shapes(config.num_expression)
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape) if tensors is None else tensors[name])

    @property
    def blendshape_map(self) -> BlendshapeMap | None:
        """The map between the model's numbers and the blendshape coefficients, where it was learned."""
        return BlendshapeMap.from_tensors(dict(self.named_buffers())) if self.config.has_blendshapes else None

    def shape(self, identity: Tensor) -> Tensor:
        """Compute neutral faces.

        Args:
            identity: Coefficients of the identity basis (B, I), in standard deviations.

        Returns:
            Neutral landmarks (B, 478, 3) in model units.
        """
        return self.mean + torch.einsum("bi,inc->bnc", identity, self.identity_basis)

    def displacement(self, expression: Tensor, jaw: Tensor) -> Tensor:
        """Compute how expression and jaw move the landmarks.

        Args:
            expression: Coefficients of the expression basis (B, 50), in standard deviations.
            jaw: Jaw rotation (B, 3), axis-angle in radians.

        Returns:
            Displacements (B, 478, 3) in model units.
        """
        linear = torch.einsum("be,enc->bnc", expression, self.expression_basis)
        arm = self.mean - self.jaw_pivot
        turned = arm @ axis_angle_to_matrix(jaw).transpose(1, 2) - arm
        return linear + self.jaw_weights[:, None] * turned

    def fit(self, landmarks: Tensor, identity: Tensor | None = None) -> tuple[FaceAttributes, Tensor]:
        """Fit the model to tracked landmarks of one person.

        Args:
            landmarks: Landmarks of B frames (B, 478, 3) in pixels.
            identity: The person's identity coefficients (1, I); estimated from the mean of all frames if absent.

        Returns:
            The attributes of the B frames, and the identity coefficients (1, I).
        """
        landmarks = landmarks.float()
        residual, head, camera = self._fit_pose(landmarks)
        if identity is None:
            joint = torch.cat([self.identity_basis, self._motion_basis()])
            identity = (self._solver(joint) @ residual.mean(0).flatten())[None, : self.config.num_identity]
        residual, head, camera = self._fit_pose(landmarks, identity)
        motion = residual.flatten(1) @ self._solver(self._motion_basis()).T
        expression, jaw = motion[:, :-3], motion[:, -3:] * self.config.jaw_deviation
        lids = measure_openings(residual) - measure_openings(self.displacement(expression, jaw))
        attributes = FaceAttributes(expression, torch.cat([head, jaw], 1), camera, self._gaze(residual), lids)
        return attributes, identity

    def explain_expression(self, residual: Tensor) -> Tensor:
        """Compute the part of faces' differences from the mean that is expression rather than identity.

        Args:
            residual: Landmarks in the model's frame less the mean face (B, 478, 3).

        Returns:
            Displacements by expression and jaw (B, 478, 3) in the fit of both bases to each face.
        """
        motion = self._motion_basis()
        joint = torch.cat([self.identity_basis, motion])
        numbers = residual.flatten(1) @ self._solver(joint).T
        return torch.einsum("bk,knc->bnc", numbers[:, self.config.num_identity :], motion)

    def canonical(self, landmarks: Tensor, identity: Tensor) -> Tensor:
        """Remove the pose from tracked landmarks.

        Args:
            landmarks: Landmarks (B, 478, 3) in pixels.
            identity: The person's identity coefficients (1, I).

        Returns:
            Landmarks in the model's frame (B, 478, 3), in model units.
        """
        return self.shape(identity) + self._fit_pose(landmarks.float(), identity)[0]

    def _fit_pose(self, landmarks: Tensor, identity: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Landmarks (B, 478, 3) -> residual of the neutral face (B, 478, 3), head (B, 3), camera (B, 3).

        The pose is fitted to the landmarks that move with the skull.
        """
        batch = len(landmarks)
        neutral = self.shape(landmarks.new_zeros(1, self.config.num_identity) if identity is None else identity)
        stable = list(topology.STABLE)
        scale, rotation, translation = fit_similarity(neutral[:, stable].expand(batch, -1, -1), landmarks[:, stable])
        unposed = (landmarks - translation[:, None]) @ rotation / scale[:, None, None]
        camera = torch.cat([scale[:, None], translation[:, :2]], 1)
        return unposed - neutral, matrix_to_axis_angle(rotation), camera

    def _motion_basis(self) -> Tensor:
        """Expression basis and the jaw's rotation linearised about rest (50 + 3, 478, 3), with unit priors."""
        axes = cross_matrix(torch.eye(3, device=self.mean.device)) * self.config.jaw_deviation
        turn = torch.einsum("kcd,nd->knc", axes, self.mean - self.jaw_pivot)
        return torch.cat([self.expression_basis, turn * self.jaw_weights[:, None]])

    def _solver(self, basis: Tensor) -> Tensor:
        """Matrix (K, 478 * 3) of the ridge regression onto a basis (K, 478, 3) with unit Gaussian priors."""
        matrix = basis.flatten(1)
        gram = matrix @ matrix.T + self.config.noise**2 * torch.eye(len(matrix), device=matrix.device)
        return torch.linalg.solve(gram, matrix)

    def _gaze(self, residual: Tensor) -> Tensor:
        """Shift of both irises relative to the corners of their eye (B, 4), in model units."""
        shifts = [
            residual[:, list(iris)].mean(1) - residual[:, [upper[0], upper[-1]]].mean(1)
            for upper, _, iris in topology.EYES
        ]
        return torch.cat([shift[:, :2] for shift in shifts], 1)


def add_blendshapes(model: LandmarkModel, blendshape_map: BlendshapeMap) -> LandmarkModel:
    """Give a model its map to the blendshape coefficients.

    Args:
        model: The face model.
        blendshape_map: The map, learned with this model.

    Returns:
        The same model with the map.
    """
    tensors = model.state_dict() | blendshape_map.tensors()
    return LandmarkModel(replace(model.config, has_blendshapes=True), tensors)


def require_map(model: LandmarkModel, purpose: str) -> BlendshapeMap:
    """Take the map of the blendshape coefficients from a face model.

    Args:
        model: The face model.
        purpose: What it is needed for, to begin the error message with.

    Returns:
        The map.

    Raises:
        WeightsError: The model has none.
    """
    if model.blendshape_map is None:
        raise WeightsError(
            f"{purpose} needs a face model that knows blendshapes; learn one from shards with blendshapes by "
            "`fadm learn-face-model`"
        )
    return model.blendshape_map


def pose_landmarks(shape: Tensor, attributes: FaceAttributes) -> Tensor:
    """Apply head pose and camera to landmarks.

    Args:
        shape: Landmarks in the model's frame (B, 478, 3), in model units.
        attributes: Attributes of the B faces; expression and jaw are not used.

    Returns:
        Landmarks (B, 478, 3) in pixels.
    """
    rotation, camera = axis_angle_to_matrix(attributes.head), attributes.camera
    translation = torch.nn.functional.pad(camera[:, 1:], (0, 1))
    return camera[:, :1, None] * (shape @ rotation.transpose(1, 2)) + translation[:, None]


@dataclass(frozen=True)
class FittedFace:
    """One person's face fitted by the model.

    Attributes:
        landmarks: Tracked landmarks (1, 478, 3) in pixels.
        canonical: The same landmarks without pose (1, 478, 3), in model units.
        attributes: Attributes of the face.
        identity: Coefficients of the identity basis (1, I).
    """

    landmarks: Tensor
    canonical: Tensor
    attributes: FaceAttributes
    identity: Tensor


def fit_face(model: LandmarkModel, landmarks: Tensor) -> FittedFace:
    """Fit the model to a single tracked face.

    Args:
        model: The face model.
        landmarks: Landmarks (478, 3) in pixels.

    Returns:
        The fitted face.
    """
    attributes, identity = model.fit(landmarks[None])
    return FittedFace(landmarks[None].float(), model.canonical(landmarks[None], identity), attributes, identity)


def hash_numbers(model: LandmarkModel) -> str:
    """Tell face models apart by what their numbers mean, whatever map of blendshapes they have.

    Args:
        model: The face model.

    Returns:
        The SHA-256 of mean, bases and jaw in half precision, in which they are stored.
    """
    return hash_tensors({name: getattr(model, name).half() for name in NUMBERS})


def save_landmark_model(model: LandmarkModel, path: Path, metadata: Mapping[str, str]) -> None:
    """Write a model in half precision.

    Args:
        model: The face model.
        path: The .safetensors file.
        metadata: Training data and its licence terms.

    Raises:
        OutputError: The file cannot be written.
    """
    tensors = {name: tensor.half() for name, tensor in model.state_dict().items()}
    told = {**metadata, "landmark_model": LANDMARK_MODEL}
    save_weights(path, tensors, config=asdict(model.config), metadata=told)


def load_landmark_model(path: Path | None = None, *, commercial: bool = False) -> LandmarkModel:
    """Load a face model.

    Args:
        path: A .safetensors file; None for the model that comes with the package.
        commercial: Refuse a model whose terms forbid commercial use or are unknown.

    Returns:
        The model.

    Raises:
        WeightsError: The file is missing, damaged, no landmark model or one of another tracker's landmarks, or its
            terms are refused.
        ConfigError: Its configuration has unknown keys.
    """
    if path is None:
        with as_file(files("fadm.weights") / "landmark_model.safetensors") as embedded:
            return load_landmark_model(embedded, commercial=commercial)
    if commercial:
        describe_weights(path, commercial=True)
    tensors, metadata = load_weights(path)
    known = metadata.get("landmark_model")
    if known != LANDMARK_MODEL:
        raise WeightsError(
            f"{path}: its landmarks are of {known or 'an unnamed model'}, not of {LANDMARK_MODEL}; learn the face "
            "model anew with `fadm learn-face-model`"
        )
    config = config_from_dict(LandmarkModelConfig, metadata["config"], source=str(path))
    model = LandmarkModel(config)
    load_into(model, tensors, source=str(path))
    return model
