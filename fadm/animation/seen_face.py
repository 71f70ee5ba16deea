"""One face of a picture in numbers and in words: box, head angles, expression by name, landmarks."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.attributes.deca import PARAMETER_SIZES
from fadm.attributes.deca_face import DecaFace
from fadm.attributes.directions import (
    FULL_BROWS,
    FULL_GAZE,
    FULL_JAW,
    FULL_PUCKER,
    FULL_SMILE,
    WIDEST_EYE,
    measure_gradients,
)
from fadm.attributes.face_attributes import NUM_EXPRESSION, FaceAttributes
from fadm.attributes.landmark_model import FittedFace, LandmarkModel
from fadm.attributes.rotation import axis_angle_to_matrix
from fadm.coarse.face_vid2vid.head_pose import RADIANS_PER_DEGREE, rotation_angles
from fadm.face.region import turn_points
from fadm.face.selection import MIN_FACE_SIZE
from fadm.face.tracker import face_box
from fadm.media.crop import Square

FloatArray = NDArray[np.float32]

LEAST_BLENDSHAPE = 0.1  # coefficients below it are not told in words
DECIMALS = 5  # of the numbers in JSON, as in motion files


@dataclass(frozen=True)
class SeenFace:
    """A face and what is measured of it.

    Attributes:
        number: Its number from the left, from 1, as `--face` counts.
        landmarks: Landmarks (478, 3) in pixels of the picture: x right, y down, depth away from the camera.
        attributes: The landmark model's attributes, of a batch of one.
        angles: Head angles in degrees (`measure_angles`).
        controls: The expression by the names of `FaceControls` (`measure_controls`).
        blendshapes: The 52 blendshape coefficients by their names, in [0, 1].
        crop: The window around the face that renderers and DECA see, in pixels of the picture.
        region: The window around the face that may move, in pixels of the picture.
        person: Probability (256, 256) that a place of the region shows the person.
        deca: DECA's reading of the upright face, None where DECA is not imported.
        turns: Quarter turns of the picture counter-clockwise that made the face upright; so it was measured.
    """

    number: int
    landmarks: FloatArray
    attributes: FaceAttributes
    angles: dict[str, float]
    controls: dict[str, float]
    blendshapes: dict[str, float]
    crop: Square
    region: Square
    person: FloatArray
    deca: DecaFace | None
    turns: int = 0

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the face's oval in pixels."""
        return face_box(self.landmarks)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the box in pixels."""
        left, top, right, bottom = self.box
        return right - left, bottom - top

    @property
    def is_large_enough(self) -> bool:
        """Whether the face can be animated; landmarks of smaller faces are unreliable."""
        return max(self.size) >= MIN_FACE_SIZE

    def sentence(self) -> str:
        """The face in one line."""
        width, height = (round(side) for side in self.size)
        left, top = (round(side) for side in self.box[:2])
        angles = ", ".join(f"{name} {angle:+z.0f}" for name, angle in self.angles.items())
        controls = ", ".join(f"{name.replace('_', ' ')} {value:+z.2f}" for name, value in self.controls.items())
        small = "" if self.is_large_enough else f" (too small, {MIN_FACE_SIZE} are needed)"
        turned = f" when the picture is turned by {90 * self.turns} degrees counter-clockwise" if self.turns else ""
        seen = sorted(self.blendshapes.items(), key=lambda item: -item[1])
        blendshapes = ", ".join(f"{name} {value:.2f}" for name, value in seen if value >= LEAST_BLENDSHAPE)
        return (
            f"face {self.number}: {width}x{height} pixels at x {left}, y {top}{small}; {angles} degrees{turned}; "
            f"{controls}; blendshapes {blendshapes or 'all at rest'}"
        )

    def describe(self) -> dict[str, Any]:
        """The face as values that JSON holds."""
        return {
            "face": self.number,
            "box": dict(zip(("left", "top", "right", "bottom"), _round(self.box), strict=True)),
            "is_large_enough": self.is_large_enough,
            "turns": self.turns,
            "angles": {name: round(angle, DECIMALS) for name, angle in self.angles.items()},
            "controls": {name: round(value, DECIMALS) for name, value in self.controls.items()},
            "blendshapes": {name: round(value, DECIMALS) for name, value in self.blendshapes.items()},
            "expression": _round(self.attributes.expression[0]),
            "pose": _round(self.attributes.pose[0]),
            "camera": _round(self.attributes.camera[0]),
            "gaze": _round(self.attributes.gaze[0]),
            "lids": _round(self.attributes.lids[0]),
            "landmarks": _round(self.landmarks),
            "deca": None if self.deca is None else self._describe_deca(self.deca),
        }

    def _describe_deca(self, deca: DecaFace) -> dict[str, Any]:
        """DECA's parameters by name, their crop, and the mesh's landmarks: in pixels, and on the skin in metres."""
        parameters = {name: _round(getattr(deca.code, name)[0]) for name in PARAMETER_SIZES}
        landmarks = None if deca.landmarks is None else _round(self._turn_back(deca.landmarks.numpy(), deca.window))
        skin = None if deca.mesh is None or deca.mesh.skin_landmarks is None else _round(deca.mesh.skin_landmarks)
        return {"crop": vars(self.crop), **parameters, "landmarks": landmarks, "skin_landmarks": skin}

    def _turn_back(self, points: FloatArray, window: Square) -> FloatArray:
        """Bring points (N, 2) of the upright picture, in which the crop is `window`, into the picture's pixels."""
        crop, side = self.crop, window.side
        points = turn_points(points - np.array([window.left, window.top], np.float32), (side, side), -self.turns % 4)
        return points + np.array([crop.left, crop.top], np.float32)


def measure_angles(attributes: FaceAttributes) -> dict[str, float]:
    """Measure the head's angles, with the signs of `FaceControls`: turned to its left, lowered, tilted to its left.

    At pitch 0 the top of the forehead and the chin are equally far from the camera; whoever faces the camera
    usually has a few degrees more.

    Args:
        attributes: Attributes of one face.

    Returns:
        Yaw, pitch and roll in degrees.
    """
    return dict(zip(("yaw", "pitch", "roll"), head_angles(attributes)[0].tolist(), strict=True))


def head_angles(attributes: FaceAttributes) -> Tensor:
    """Compute the head angles of several faces, with the signs of `measure_angles`.

    Args:
        attributes: Attributes of B faces.

    Returns:
        Yaw, pitch and roll (B, 3) in degrees.
    """
    angles = (rotation_angles(axis_angle_to_matrix(attributes.head)) * RADIANS_PER_DEGREE).rad2deg()
    return angles * angles.new_tensor([-1.0, 1.0, 1.0])


def measure_controls(model: LandmarkModel, face: FittedFace) -> dict[str, float]:
    """Measure how far a face makes the movements that `FaceControls` names; 1 is a full movement.

    One picture does not tell a person's features from an expression. So smile, pucker, brows and eyelids are
    measured against the mean face, the mouth against closed lips, and the gaze against the middle of the eyes.

    Args:
        model: The face model.
        face: The face.

    Returns:
        The measure of each movement, negative for its opposite.
    """
    gradients = measure_gradients(model)

    def measure(name: str, landmarks: Tensor) -> float:
        return float((gradients[name] * landmarks).sum())

    change = face.canonical[0] - model.mean
    full_jaw = model.displacement(torch.zeros(1, NUM_EXPRESSION), torch.tensor([[FULL_JAW, 0.0, 0.0]]))[0]
    closed = {}
    for name in ("blink_left", "blink_right"):
        share = measure(name, change) / -measure(name, model.mean)  # the measure of an eye is minus its opening
        closed[name] = share if share > 0 else share / WIDEST_EYE
    right_x, right_y, left_x, left_y = face.attributes.gaze[0].tolist()
    return {
        "smile": measure("smile", change) / FULL_SMILE,
        "mouth_open": measure("lips_apart", face.canonical[0]) / measure("lips_apart", full_jaw),
        "pucker": measure("pucker", change) / FULL_PUCKER,
        **closed,
        "brows_up": measure("brows_up", change) / FULL_BROWS,
        "gaze_left": (right_x + left_x) / 2 / FULL_GAZE,
        "gaze_up": -(right_y + left_y) / 2 / FULL_GAZE,
    }


def _round(values: Any) -> Any:
    return np.asarray(values, np.float64).round(DECIMALS).tolist()
