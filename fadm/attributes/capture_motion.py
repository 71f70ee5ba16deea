"""A face-capture take as a motion that drives any source, and a motion as a take."""

from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from fadm.attributes.directions import WIDEST_EYE
from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.face_capture import FaceCapture
from fadm.attributes.landmark_model import LandmarkModel, require_map
from fadm.attributes.lids import measure_openings
from fadm.attributes.motion import Motion
from fadm.attributes.rotation import axis_angle_to_matrix, matrix_to_axis_angle
from fadm.blendshapes import BLENDSHAPES

CAMERA = (100.0, 128.0, 128.0)  # a take has no picture: the head's place and size stay the same
EYE_RADIUS = 0.13  # of the eyeball, in distances between the outer corners of the eyes (12 of 90 mm)
LARGEST_TERM = 1001  # of the frames per second as a fraction
USUAL_GAP = 1.5  # usual steps in time; a longer one is a gap


def capture_to_motion(capture: FaceCapture, model: LandmarkModel) -> Motion:
    """Make a motion of a take: expression, jaw and gaze by the learned map, the head's rotation by its angles.

    Args:
        capture: The take (T frames).
        model: The face model, with a map.

    Returns:
        The motion, of one shot, with the mean identity.

    Raises:
        WeightsError: The model has no map.
    """
    blendshapes = torch.from_numpy(capture.blendshapes)
    moved = require_map(model, "a face-capture take").to_expression(blendshapes)
    head = angles_to_head(torch.from_numpy(capture.head))
    count = len(blendshapes)
    return Motion(
        FaceAttributes(
            moved.expression,
            torch.cat([head, moved.jaw], 1),
            torch.tensor([CAMERA]).repeat(count, 1),
            moved.gaze,
            _find_lids(model, blendshapes, model.displacement(moved.expression, moved.jaw)),
        ),
        torch.from_numpy(capture.is_tracked),
        torch.zeros(count, dtype=torch.int64),
        torch.zeros(1, model.config.num_identity),
        torch.from_numpy(capture.pts),
        capture.time_base,
        _find_rate(capture),
        blendshapes,
    )


def motion_to_capture(motion: Motion, model: LandmarkModel) -> FaceCapture:
    """Make a take of a motion; the place in the picture and the identity are left out.

    Args:
        motion: The motion (T frames).
        model: The face model; its map gives the coefficients of a motion without any.

    Returns:
        The take.

    Raises:
        WeightsError: Neither the motion has coefficients nor the model a map.
    """
    blendshapes = motion.blendshapes
    if blendshapes is None:
        blendshapes = require_map(model, "a motion without blendshapes").to_coefficients(motion.attributes)
    right, left = motion.attributes.gaze.split(2, dim=1)
    values = (blendshapes, head_to_angles(motion.attributes.head), torch.cat([_turn_eye(left), _turn_eye(right)], 1))
    is_tracked = motion.is_tracked
    rows = [np.array(torch.where(is_tracked[:, None], value, 0.0), np.float32) for value in values]
    pts = (motion.pts - motion.pts[0]).numpy()
    return FaceCapture(rows[0], rows[1], rows[2], is_tracked.numpy(), pts, motion.time_base)


def _find_lids(model: LandmarkModel, blendshapes: Tensor, displacement: Tensor) -> Tensor:
    """How much wider eyes are open by their coefficients (T, 52) than in displaced mean faces (T, 2)."""
    closed, wide = (
        blendshapes[:, [BLENDSHAPES.index(name + side) for side in ("Right", "Left")]]
        for name in ("eyeBlink", "eyeWide")
    )
    change = WIDEST_EYE * wide - closed.clamp(max=1)
    return change * measure_openings(model.mean[None]) - measure_openings(displacement)


def angles_to_head(angles: Tensor) -> Tensor:
    """Convert the angles of a take to head rotations; roll is applied first, yaw last.

    Args:
        angles: Yaw, pitch and roll (B, 3) in radians: to the person's right, up, to the right.

    Returns:
        Head rotations (B, 3), axis-angle in radians.
    """
    turns = torch.eye(3)[[1, 0, 2]] * torch.tensor([1.0, -1.0, -1.0])[:, None]  # about y, x and z of the face model
    yaw, pitch, roll = (axis_angle_to_matrix(angles[:, i, None] * turns[i]) for i in range(3))
    return matrix_to_axis_angle(yaw @ pitch @ roll)


def head_to_angles(head: Tensor) -> Tensor:
    """Invert `angles_to_head` for pitches below a right angle.

    Args:
        head: Head rotations (B, 3), axis-angle in radians.

    Returns:
        Yaw, pitch and roll (B, 3) in radians.
    """
    rotation = axis_angle_to_matrix(head)
    yaw = torch.atan2(rotation[:, 0, 2], rotation[:, 2, 2])
    pitch = rotation[:, 1, 2].clamp(-1, 1).asin()
    roll = -torch.atan2(rotation[:, 1, 0], rotation[:, 1, 1])
    return torch.stack([yaw, pitch, roll], 1)


def _turn_eye(gaze: Tensor) -> Tensor:
    """Yaw, pitch and roll (B, 3) in radians of an eye whose iris is shifted (B, 2)."""
    angles = (gaze / EYE_RADIUS).clamp(-1, 1).asin()
    return torch.stack([-angles[:, 0], -angles[:, 1], torch.zeros(len(gaze))], 1)


def _find_rate(capture: FaceCapture) -> Fraction:
    """Frames per second of a take, without its gaps."""
    steps = np.diff(capture.pts)
    if not len(steps):
        return Fraction(25)
    regular = steps[steps <= USUAL_GAP * np.median(steps)]
    rate = len(regular) / (int(regular.sum()) * capture.time_base)
    return max(rate.limit_denominator(LARGEST_TERM), Fraction(1, LARGEST_TERM))
