"""Distances between the expressions and poses of two faces, in the coefficients of our landmark face model.

Later papers' average expression and pose distance (AED, APD; Ren et al., PIRenderer, arXiv 2109.08379, section 4) use
another face model, so these numbers compare only with each other. Their AED is not that of FOMM and FADM, which is a
distance of identity embeddings: see `fadm.metrics.identity`.
"""

from dataclasses import fields

import torch
from torch import Tensor

from fadm.attributes.face_attributes import NUM_EXPRESSION, FaceAttributes
from fadm.attributes.landmark_model import LandmarkModel
from fadm.attributes.rotation import axis_angle_to_matrix, matrix_to_axis_angle


def fit_attributes(model: LandmarkModel, landmarks: Tensor) -> FaceAttributes:
    """Fit the attributes of one person's frames, with one identity for all.

    Args:
        model: The landmark face model.
        landmarks: Landmarks (T, 478, 3) in pixels, NaN without a face.

    Returns:
        T rows of attributes, NaN without a face.
    """
    seen = ~landmarks.isnan().any(dim=2).any(dim=1)
    if not seen.any():
        return FaceAttributes(*(torch.full((len(landmarks), size), torch.nan) for size in (NUM_EXPRESSION, 6, 3, 4, 2)))
    fitted, _ = model.fit(landmarks[seen])
    rows = seen.long().cumsum(dim=0).clamp(min=1) - 1
    absent = torch.where(seen, 0.0, torch.nan)[:, None]
    return FaceAttributes(*(getattr(fitted, field.name)[rows] + absent for field in fields(FaceAttributes)))


def expression_distance_l1(a: FaceAttributes, b: FaceAttributes) -> Tensor:
    """Mean absolute difference of the 50 expression coefficients.

    Args:
        a: Attributes of T frames.
        b: Attributes of T frames.

    Returns:
        Distances (T,), in standard deviations of the expression basis.
    """
    return (a.expression - b.expression).abs().mean(dim=1)


def expression_distance_l2(a: FaceAttributes, b: FaceAttributes) -> Tensor:
    """Euclidean distance of the 50 expression coefficients.

    Args:
        a: Attributes of T frames.
        b: Attributes of T frames.

    Returns:
        Distances (T,), in standard deviations of the expression basis.
    """
    return (a.expression - b.expression).norm(dim=1)


def pose_distance_l1(a: FaceAttributes, b: FaceAttributes) -> Tensor:
    """Mean absolute difference of the 6 pose coefficients (axis-angle of head and jaw).

    Args:
        a: Attributes of T frames.
        b: Attributes of T frames.

    Returns:
        Distances (T,), in radians.
    """
    return (a.pose - b.pose).abs().mean(dim=1)


def pose_distance_l2(a: FaceAttributes, b: FaceAttributes) -> Tensor:
    """Euclidean distance of the 6 pose coefficients (axis-angle of head and jaw).

    Args:
        a: Attributes of T frames.
        b: Attributes of T frames.

    Returns:
        Distances (T,), in radians.
    """
    return (a.pose - b.pose).norm(dim=1)


def head_angle(a: FaceAttributes, b: FaceAttributes) -> Tensor:
    """Angle of the rotation from one head's direction to the other's.

    Args:
        a: Attributes of T frames.
        b: Attributes of T frames.

    Returns:
        Angles (T,), in degrees below 180.
    """
    turn = axis_angle_to_matrix(a.head.double()).transpose(1, 2) @ axis_angle_to_matrix(b.head.double())
    return matrix_to_axis_angle(turn).norm(dim=1).rad2deg()
