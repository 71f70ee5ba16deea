"""Named directions of the expression space, found from the data that the model was learned from.

Each name stands for a measure on the landmarks, such as the height of an eye's opening. The model's prior says
how faces usually move when a measure changes: with expression e ~ N(0, I) and measures m = G e, the expected
expression is E[e | m] = G^T (G G^T)^-1 m. Every other measure is asked to stay, so the names are independent.
"""

import math

import torch
from torch import Tensor

from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import LandmarkModel
from fadm.attributes.rotation import axis_angle_to_matrix, matrix_to_axis_angle
from fadm.face import topology
from fadm.options import FaceControls

# Change of the measure, in model units (distance of the outer eye corners), that a control of 1 asks for.
FULL_SMILE = 0.10  # each mouth corner along the diagonal; its way outwards is the pucker's, so it goes up
FULL_PUCKER = 0.13  # narrowing of the mouth
FULL_BROWS = 0.07
FULL_GAZE = 0.06
WIDEST_EYE = 0.4  # opened further than in the source, in heights of its opening
FULL_JAW = 0.22  # radians of the jaw
STEADINESS = 1e-6  # ridge on the measures, square units


def measure_gradients(model: LandmarkModel) -> dict[str, Tensor]:
    """For each named measure its gradient on the landmarks (478, 3): measure = sum(gradient * displacement)."""

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
    """The likeliest expression (1, 50) that changes the measures by so much (model units) and the others not."""
    gradients = measure_gradients(model)
    G = torch.stack([(model.expression_basis * gradient).sum((1, 2)) for gradient in gradients.values()])
    asked = torch.tensor([measures.get(name, 0.0) for name in gradients])
    gram = G @ G.T + STEADINESS * torch.eye(len(G))
    return (G.T @ torch.linalg.solve(gram, asked))[None]


def change_attributes(
    model: LandmarkModel, face: FaceAttributes, shape: Tensor, controls: FaceControls
) -> FaceAttributes:
    """A face's attributes (1) after the controls; shape (1, 478, 3): its landmarks in the model's frame."""
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
