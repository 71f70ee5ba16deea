"""Named directions of the expression space, such as smile or blink, derived from the face model's prior.

Each name stands for a linear measure on the landmarks, such as the height of an eye's opening. With expression
e ~ N(0, I) and measures m = G e, the expected expression is E[e | m] = G^T (G G^T)^-1 m. All other measures are
kept at zero, so the directions are independent of each other.
"""

import math

import torch
from torch import Tensor

from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import LandmarkModel
from fadm.attributes.rotation import axis_angle_to_matrix, matrix_to_axis_angle
from fadm.face import topology
from fadm.options import FaceControls

# Change of the measure at a control of 1, in model units (distance between the outer eye corners).
FULL_SMILE = 0.10  # each mouth corner along the diagonal; the pucker holds its outward part, so it moves up
FULL_PUCKER = 0.13  # narrowing of the mouth
FULL_BROWS = 0.07
FULL_GAZE = 0.06
WIDEST_EYE = 0.4  # additional opening, in heights of the source's opening
FULL_JAW = 0.22  # rotation of the jaw in radians
RIDGE = 1e-6  # added to the diagonal of G G^T, in square model units


def measure_gradients(model: LandmarkModel) -> dict[str, Tensor]:
    """Build the gradient of each named measure on the landmarks: measure = sum(gradient * displacement).

    Args:
        model: The face model, for the device and precision of its mean.

    Returns:
        A gradient (478, 3) for each name; the measure has model units.
    """

    def weigh(*terms: tuple[tuple[int, ...], int, float]) -> Tensor:
        gradient = torch.zeros_like(model.mean)
        for landmarks, axis, weight in terms:
            gradient[list(landmarks), axis] += weight / len(landmarks)
        return gradient

    right, left = topology.MOUTH_CORNERS
    upper, lower = topology.INNER_UPPER_LIP[4:7], topology.INNER_LOWER_LIP[4:7]
    diagonal = math.sqrt(0.5)
    return {
        "smile": weigh(((right,), 0, -diagonal / 2), ((left,), 0, diagonal / 2), ((right, left), 1, -diagonal)),
        "pucker": weigh(((right,), 0, 1.0), ((left,), 0, -1.0)),
        "lips_apart": weigh((lower, 1, 1.0), (upper, 1, -1.0)),
        "blink_right": weigh((topology.UPPER_LID_RIGHT[2:7], 1, 1.0), (topology.LOWER_LID_RIGHT[2:7], 1, -1.0)),
        "blink_left": weigh((topology.UPPER_LID_LEFT[2:7], 1, 1.0), (topology.LOWER_LID_LEFT[2:7], 1, -1.0)),
        "brows_up": weigh((topology.BROW_RIGHT + topology.BROW_LEFT, 1, -1.0)),
    }


def find_expression(model: LandmarkModel, measures: dict[str, float]) -> Tensor:
    """Find the likeliest expression that changes the named measures and leaves the others alone.

    Args:
        model: The face model.
        measures: Change of each measure in model units; a missing name stands for 0.

    Returns:
        The change of the expression coefficients (1, 50).
    """
    gradients = measure_gradients(model)
    G = torch.stack([(model.expression_basis * gradient).sum((1, 2)) for gradient in gradients.values()])
    target = torch.tensor([measures.get(name, 0.0) for name in gradients])
    gram = G @ G.T + RIDGE * torch.eye(len(G))
    return (G.T @ torch.linalg.solve(gram, target))[None]


def change_attributes(
    model: LandmarkModel, face: FaceAttributes, shape: Tensor, controls: FaceControls
) -> FaceAttributes:
    """Apply the controls to a face.

    Args:
        model: The face model.
        face: Attributes of one face.
        shape: Its landmarks in the model's frame (1, 478, 3), in model units.
        controls: The changes.

    Returns:
        The attributes after the changes.
    """
    openings = {}
    for name, (upper, lower, _) in zip(("blink_right", "blink_left"), topology.EYES, strict=True):
        height = float((shape[0, list(lower[2:7]), 1] - shape[0, list(upper[2:7]), 1]).mean())
        closing = getattr(controls, name)
        openings[name] = closing * height * (1 if closing > 0 else WIDEST_EYE)
    expression = find_expression(
        model,
        {
            "smile": controls.smile * FULL_SMILE,
            "pucker": controls.pucker * FULL_PUCKER,
            "brows_up": controls.brows_up * FULL_BROWS,
            **openings,
        },
    )
    turn = torch.tensor([[controls.pitch, -controls.yaw, controls.roll]]).deg2rad()
    head = axis_angle_to_matrix(face.head) @ axis_angle_to_matrix(turn)
    jaw = face.jaw + torch.tensor([[FULL_JAW * controls.mouth_open, 0.0, 0.0]])
    gaze = torch.tensor([[controls.gaze_left, -controls.gaze_up] * 2]) * FULL_GAZE
    return FaceAttributes(
        face.expression + expression,
        torch.cat([matrix_to_axis_angle(head), jaw], 1),
        face.camera,
        face.gaze + gaze,
    )
