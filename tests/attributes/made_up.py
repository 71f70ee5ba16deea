"""Made-up faces: attributes, and the landmarks that they stand for."""

import torch
from torch import Tensor

from fadm.attributes.face_attributes import NUM_EXPRESSION, FaceAttributes
from fadm.attributes.landmark_model import LandmarkModel, pose_landmarks
from fadm.attributes.rotation import axis_angle_to_matrix, matrix_to_axis_angle
from fadm.face.topology import EYES

LARGEST_TURN, LARGEST_JAW = 0.4, 0.2  # radians


def make_attributes(num_frames: int, *, seed: int = 0, expression: float = 1.0) -> FaceAttributes:
    """Faces about 90 pixels between the eyes, in the middle of 256x256; every frame another head and jaw."""
    generator = torch.Generator().manual_seed(seed)
    head = LARGEST_TURN * (2 * torch.rand(num_frames, 3, generator=generator) - 1) / 3**0.5
    jaw = torch.zeros(num_frames, 3)
    jaw[:, 0] = LARGEST_JAW * torch.rand(num_frames, generator=generator)
    return FaceAttributes(
        expression=expression * torch.randn(num_frames, NUM_EXPRESSION, generator=generator),
        pose=torch.cat([head, jaw], 1),
        camera=torch.tensor([[90.0, 128, 120]]) + 3 * torch.randn(num_frames, 3, generator=generator),
        gaze=0.02 * torch.randn(num_frames, 4, generator=generator),
    )


def make_identity(model: LandmarkModel, *, seed: int = 0) -> Tensor:
    return torch.randn(1, model.config.num_identity, generator=torch.Generator().manual_seed(1000 + seed))


def make_landmarks(model: LandmarkModel, attributes: FaceAttributes, identity: Tensor) -> Tensor:
    """The landmarks (B, 478, 3) in pixels that a perfect tracker would see; the irises go with the eyes' corners."""
    motion = model.displacement(attributes.expression, attributes.jaw)
    for (upper, _, iris), gaze in zip(EYES, attributes.gaze.split(2, dim=1), strict=True):
        motion[:, list(iris)] = motion[:, [upper[0], upper[-1]]].mean(1, keepdim=True)
        motion[:, list(iris), :2] += gaze[:, None]
    return pose_landmarks(model.shape(identity) + motion, attributes)


def degrees_between(head: Tensor, other: Tensor) -> Tensor:
    """Angles (B,) between head rotations (B, 3)."""
    turn = axis_angle_to_matrix(head).transpose(1, 2) @ axis_angle_to_matrix(other)
    return matrix_to_axis_angle(turn).norm(dim=1).rad2deg()
