"""How far two faces' expressions and poses are apart, in the numbers of our landmark face model.

The later papers' average expression and pose distance (AED, APD; Ren et al., PIRenderer, arXiv 2109.08379, section 4)
take them from another model of faces, so these numbers compare only with each other. Their AED is not that
of FOMM and FADM, which is a distance of identity embeddings: see `fadm.metrics.identity`.
"""

import torch
from torch import Tensor

from fadm.attributes.face_attributes import NUM_EXPRESSION, FaceAttributes
from fadm.attributes.landmark_model import LandmarkModel
from fadm.attributes.rotation import axis_angle_to_matrix, matrix_to_axis_angle


def fit_attributes(model: LandmarkModel, landmarks: Tensor) -> FaceAttributes:
    """Attributes of one person's frames, one identity for all: landmarks (T, 478, 3) -> T rows, NaN where these are."""
    seen = ~landmarks.isnan().any(dim=2).any(dim=1)
    if not seen.any():
        return FaceAttributes(*(torch.full((len(landmarks), size), torch.nan) for size in (NUM_EXPRESSION, 6, 3, 4)))
    fitted, _ = model.fit(landmarks[seen])
    rows = seen.long().cumsum(dim=0).clamp(min=1) - 1
    absent = torch.where(seen, 0.0, torch.nan)[:, None]
    return FaceAttributes(
        *(part[rows] + absent for part in (fitted.expression, fitted.pose, fitted.camera, fitted.gaze))
    )


def expression_distance_l1(a: FaceAttributes, b: FaceAttributes) -> Tensor:
    """Mean absolute difference of the 50 coefficients -> (T,), in standard deviations of the expression basis."""
    return (a.expression - b.expression).abs().mean(dim=1)


def expression_distance_l2(a: FaceAttributes, b: FaceAttributes) -> Tensor:
    """Euclidean distance of the 50 coefficients -> (T,), in standard deviations of the expression basis."""
    return (a.expression - b.expression).norm(dim=1)


def pose_distance_l1(a: FaceAttributes, b: FaceAttributes) -> Tensor:
    """Mean absolute difference of the 6 numbers (axis-angle of head and jaw) -> (T,), in radians."""
    return (a.pose - b.pose).abs().mean(dim=1)


def pose_distance_l2(a: FaceAttributes, b: FaceAttributes) -> Tensor:
    """Euclidean distance of the 6 numbers (axis-angle of head and jaw) -> (T,), in radians."""
    return (a.pose - b.pose).norm(dim=1)


def head_angle(a: FaceAttributes, b: FaceAttributes) -> Tensor:
    """Angle of the rotation that carries one head's direction to the other's -> (T,), in degrees below 180."""
    turn = axis_angle_to_matrix(a.head.double()).transpose(1, 2) @ axis_angle_to_matrix(b.head.double())
    return matrix_to_axis_angle(turn).norm(dim=1).rad2deg()
