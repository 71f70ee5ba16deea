"""Blendshape coefficients of faces that are given as landmarks, or as a motion that brings none."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import LandmarkModel, pose_landmarks
from fadm.attributes.lids import widen_eyes
from fadm.attributes.motion import Motion
from fadm.blendshapes import NUM_BLENDSHAPES
from fadm.face import topology
from fadm.face.coefficients import estimate_blendshapes


def see_blendshapes(landmarks: Tensor) -> Tensor:
    """Estimate the blendshape coefficients of faces.

    Args:
        landmarks: Landmarks (T, 478, 3) in pixels.

    Returns:
        Coefficients (T, 52).
    """
    return torch.from_numpy(np.stack([estimate_blendshapes(face) for face in landmarks.numpy()]))


def motion_blendshapes(motion: Motion, model: LandmarkModel) -> Tensor:
    """Give the coefficients of each frame of a motion.

    Args:
        motion: A motion (T frames).
        model: Its face model.

    Returns:
        Coefficients (T, 52): the motion's own, or those of the faces that its attributes make; 0 in frames without a
        face.
    """
    if motion.blendshapes is not None:
        return motion.blendshapes
    blendshapes = torch.zeros(len(motion), NUM_BLENDSHAPES)
    rows = motion.is_tracked.nonzero()[:, 0]
    if len(rows):
        blendshapes[rows] = see_blendshapes(
            build_faces(motion.attributes[rows], motion.identity[motion.shot[rows]], model)
        )
    return blendshapes


def build_faces(faces: FaceAttributes, identity: Tensor, model: LandmarkModel) -> Tensor:
    """Build the landmarks of faces from their attributes.

    Args:
        faces: Attributes of B faces.
        identity: Identity coefficients (B, I), or (1, I) of one person.
        model: The face model.

    Returns:
        Landmarks (B, 478, 3) in pixels.
    """
    shape = model.shape(identity)
    moved = widen_eyes(shape + model.displacement(faces.expression, faces.jaw), shape, faces.lids)
    for (upper, _, iris), shift in zip(topology.EYES, faces.gaze.split(2, dim=1), strict=True):
        ends, ring = [upper[0], upper[-1]], list(iris)
        change = (moved - shape)[:, ends].mean(1) + F.pad(shift, (0, 1))
        moved[:, ring] = shape[:, ring] + change[:, None]
    return pose_landmarks(moved, faces)
