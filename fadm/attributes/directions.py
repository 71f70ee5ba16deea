"""Named movements of a face: the 52 blendshapes, and controls such as smile that are made of them.

Blendshapes move a face by the map that is learned from clips. Measures on the landmarks, such as the height of an
eye's opening, close the lids exactly, and move faces of a model without the map. With expression e ~ N(0, I) and linear
measures m = G e, the expected expression is E[e | m] = G^T (G G^T)^-1 m. All other measures are kept at zero, so the
directions of the measures are independent of each other.
"""

import math

import torch
from torch import Tensor

from fadm.attributes.blendshape_map import FaceMovement
from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import LandmarkModel, require_map
from fadm.attributes.rotation import axis_angle_to_matrix, matrix_to_axis_angle
from fadm.blendshapes import BLENDSHAPES, NUM_BLENDSHAPES
from fadm.controls import FaceControls
from fadm.face import topology

# Change of the measure at a control of 1, in model units (distance between the outer eye corners).
FULL_SMILE = 0.10  # each mouth corner along the diagonal; the pucker holds its outward part, so it moves up
FULL_PUCKER = 0.13  # narrowing of the mouth
FULL_BROWS = 0.07
FULL_GAZE = 0.06
WIDEST_EYE = 0.4  # additional opening, in heights of the source's opening
FULL_JAW = 0.22  # rotation of the jaw in radians
RIDGE = 1e-8  # added to the diagonal of G G^T, in square model units
EYE_REACH = 0.35  # around the middle of an eye, in model units: the rest of the face stays where it is in a blink
STILLNESS = 0.01  # deviation of what stays, in model units

# What each control is made of: coefficients at 1, and coefficients at -1.
COMBINATIONS: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "smile": (
        {"mouthSmileLeft": 1, "mouthSmileRight": 1},
        {"mouthSmileLeft": -1, "mouthSmileRight": -1, "mouthFrownLeft": 1, "mouthFrownRight": 1},
    ),
    "mouth_open": ({"jawOpen": 1}, {"jawOpen": -1}),
    "pucker": ({"mouthPucker": 1.5}, {"mouthStretchLeft": 0.5, "mouthStretchRight": 0.5}),
    "blink_left": ({"eyeBlinkLeft": 1}, {"eyeWideLeft": 1}),
    "blink_right": ({"eyeBlinkRight": 1}, {"eyeWideRight": 1}),
    "brows_up": (
        {"browInnerUp": 1, "browOuterUpLeft": 1, "browOuterUpRight": 1},
        {"browDownLeft": 1, "browDownRight": 1},
    ),
    "gaze_left": ({"eyeLookOutLeft": 1, "eyeLookInRight": 1}, {"eyeLookInLeft": 1, "eyeLookOutRight": 1}),
    "gaze_up": ({"eyeLookUpLeft": 2, "eyeLookUpRight": 2}, {"eyeLookDownLeft": 1.5, "eyeLookDownRight": 1.5}),
}
LID_BLENDSHAPES = ("eyeBlinkLeft", "eyeBlinkRight", "eyeWideLeft", "eyeWideRight")


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


def find_expression(model: LandmarkModel, measures: dict[str, float], still: Tensor | None = None) -> Tensor:
    """Find the likeliest expression that changes the named measures and leaves the others alone.

    Args:
        model: The face model.
        measures: Change of each measure in model units; a missing name stands for 0.
        still: Whether a landmark should stay where it is (478,); none has to unless given.

    Returns:
        The change of the expression coefficients (1, 50).
    """
    gradients = measure_gradients(model)
    G = torch.stack([(model.expression_basis * gradient).sum((1, 2)) for gradient in gradients.values()])
    target = torch.tensor([measures.get(name, 0.0) for name in gradients])
    spread = G.T  # the prior's covariance times G^T
    if still is not None:
        kept = model.expression_basis[:, still].flatten(1) / STILLNESS
        spread = torch.linalg.solve(torch.eye(len(kept)) + kept @ kept.T, G.T)
    gram = G @ spread + RIDGE * torch.eye(len(G))
    return (spread @ torch.linalg.solve(gram, target))[None]


def _close_lids(model: LandmarkModel, shape: Tensor, closing: dict[str, float]) -> Tensor:
    """Find the expression (1, 50) that closes each eye of a face (1, 478, 3) by a share of its opening."""
    measures = {}
    still = torch.arange(len(model.mean)) < topology.NUM_SURFACE
    for name, (upper, lower, _) in zip(("blink_right", "blink_left"), topology.EYES, strict=True):
        height = float((shape[0, list(lower[2:7]), 1] - shape[0, list(upper[2:7]), 1]).mean())
        measures[name] = closing[name] * height
        still &= (model.mean - model.mean[list(upper + lower)].mean(0)).norm(dim=1) > EYE_REACH
    return find_expression(model, measures, still)


def combine_controls(controls: FaceControls) -> dict[str, float]:
    """Express the controls in blendshape coefficients.

    Args:
        controls: The changes.

    Returns:
        Changes of the coefficients by their names; the mouth of a negative `mouth_open` closes by a negative one.
    """
    combined = dict(controls.blendshapes)
    for control, (raised, lowered) in COMBINATIONS.items():
        value = getattr(controls, control)
        for name, share in (raised if value > 0 else lowered).items():
            combined[name] = combined.get(name, 0.0) + share * abs(value)
    return {name: value for name, value in combined.items() if value}


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

    Raises:
        WeightsError: Blendshapes are asked for, and the model has no map of them.
    """
    if model.blendshape_map is not None or controls.blendshapes:
        change = _change_by_blendshapes(model, shape, combine_controls(controls))
    else:
        change = _change_by_measures(model, shape, controls)
    turn = torch.tensor([[controls.pitch, -controls.yaw, controls.roll]]).deg2rad()
    head = axis_angle_to_matrix(face.head) @ axis_angle_to_matrix(turn)
    return FaceAttributes(
        face.expression + change.expression,
        torch.cat([matrix_to_axis_angle(head), face.jaw + change.jaw], 1),
        face.camera,
        face.gaze + change.gaze,
        face.lids,
    )


def _change_by_blendshapes(model: LandmarkModel, shape: Tensor, blendshapes: dict[str, float]) -> FaceMovement:
    """Move a face by the learned map; a blink closes its eye exactly, whatever the clips showed."""
    learned = require_map(model, "editing by blendshapes")
    others = torch.zeros(1, NUM_BLENDSHAPES)
    for name, value in blendshapes.items():
        if name not in LID_BLENDSHAPES:
            others[0, BLENDSHAPES.index(name)] = value
    closing = {
        f"blink_{side.lower()}": min(blendshapes.get(f"eyeBlink{side}", 0.0), 1.0)
        - WIDEST_EYE * blendshapes.get(f"eyeWide{side}", 0.0)
        for side in ("Left", "Right")
    }
    change = learned.to_change(others)
    return change._replace(expression=change.expression + _close_lids(model, shape, closing))


def _change_by_measures(model: LandmarkModel, shape: Tensor, controls: FaceControls) -> FaceMovement:
    """Move a face by the measures alone, for a model that was learned without blendshapes."""
    blinks = {name: getattr(controls, name) for name in ("blink_left", "blink_right")}
    closing = {name: value if value > 0 else WIDEST_EYE * value for name, value in blinks.items()}
    measures = {
        "smile": controls.smile * FULL_SMILE,
        "pucker": controls.pucker * FULL_PUCKER,
        "brows_up": controls.brows_up * FULL_BROWS,
    }
    return FaceMovement(
        find_expression(model, measures) + _close_lids(model, shape, closing),
        torch.tensor([[FULL_JAW * controls.mouth_open, 0.0, 0.0]]),
        torch.tensor([[controls.gaze_left, -controls.gaze_up] * 2]) * FULL_GAZE,
    )
