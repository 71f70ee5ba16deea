"""Lines over a picture that are seen on dark and on bright: the contours of a face and the axes of its head."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ImageDraw

from fadm.attributes.rotation import axis_angle_to_matrix
from fadm.face import topology

FloatArray = NDArray[np.float32]
Colour = tuple[int, int, int]

DARK, LIGHT, ACCENT = (14, 16, 20), (245, 245, 245), (255, 214, 10)
OVAL, BROW, EYE, IRIS, LIP = (120, 230, 120), (255, 170, 60), (80, 200, 255), (255, 255, 255), (255, 110, 150)
RED, GREEN, BLUE = (240, 70, 70), (80, 210, 90), (90, 140, 255)


def _ring(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    """A closed line along the first list and back along the second."""
    return first + second[::-1]


CONTOURS: tuple[tuple[tuple[int, ...], Colour], ...] = (
    (topology.FACE_OVAL, OVAL),
    *((_ring(brow[:5], brow[5:]), BROW) for brow in (topology.BROW_RIGHT, topology.BROW_LEFT)),
    *((_ring(upper, lower), EYE) for upper, lower, _ in topology.EYES),
    (_ring(topology.OUTER_UPPER_LIP, topology.OUTER_LOWER_LIP), LIP),
    (_ring(topology.INNER_UPPER_LIP, topology.INNER_LOWER_LIP), LIP),
)
CONTOUR_LINE, DOT = 0.006, 0.0035  # lengths of the face's oval
LINE_RANGE = (0.7, 2.5)  # units
AXIS_LENGTH, AXIS_LINE = 0.45, 1.6  # lengths of the face's oval; units


def draw_line(
    draw: ImageDraw.ImageDraw, points: FloatArray, colour: Colour, width: float, *, is_closed: bool = False
) -> None:
    """Draw a line with a dark edge.

    Args:
        draw: What is drawn on.
        points: Points (N, 2) in its pixels.
        colour: RGB of the line.
        width: Width of the line in pixels; the edge adds its half on either side.
        is_closed: Whether the last point is joined with the first.
    """
    path = [tuple(point) for point in (*points.tolist(), *(points[:2].tolist() if is_closed else []))]
    for fill, thickness in ((DARK, 2 * width), (colour, width)):
        draw.line(path, fill=fill, width=max(1, round(thickness)), joint="curve")


def draw_contours(draw: ImageDraw.ImageDraw, landmarks: FloatArray, unit: float, *, has_dots: bool = False) -> None:
    """Draw the contours of a face: oval, brows, eyes, irises and lips.

    Args:
        draw: What is drawn on.
        landmarks: Landmarks (478, 2) in its pixels.
        unit: Pixels of a unit of length.
        has_dots: Whether each landmark of the surface is a dot, too.
    """
    length = _face_length(landmarks)
    smallest, largest = (limit * unit for limit in LINE_RANGE)
    width = min(max(CONTOUR_LINE * length, smallest), largest)
    if has_dots:
        for x, y in landmarks[: topology.NUM_SURFACE]:
            radius = DOT * length
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=LIGHT)
    for indices, colour in CONTOURS:
        draw_line(draw, landmarks[list(indices)], colour, width, is_closed=True)
    for _, _, iris in topology.EYES:
        center, rim = landmarks[iris[0]], landmarks[list(iris[1:])]
        radius = float(np.linalg.norm(rim - center, axis=1).mean())
        turn = np.linspace(0, 2 * np.pi, 25)[:-1, None]
        circle = center + radius * np.concatenate([np.cos(turn), np.sin(turn)], axis=1)
        draw_line(draw, circle, IRIS, width / 2, is_closed=True)


def draw_axes(draw: ImageDraw.ImageDraw, landmarks: FloatArray, head: torch.Tensor, unit: float) -> None:
    """Draw the head's axes at the nose: red to its left, green down, blue out of the face.

    Args:
        draw: What is drawn on.
        landmarks: Landmarks (478, 2) in its pixels.
        head: Head rotation (3,), axis-angle in radians.
        unit: Pixels of a unit of length.
    """
    axes = axis_angle_to_matrix(head).numpy().T * np.array([[1], [1], [-1]])  # rows: left, down, forward
    origin, length = landmarks[topology.NOSE_TIP], AXIS_LENGTH * _face_length(landmarks)
    for axis, colour in sorted(zip(axes, (RED, GREEN, BLUE), strict=True), key=lambda pair: -pair[0][2]):
        draw_line(draw, np.stack([origin, origin + length * axis[:2]]), colour, AXIS_LINE * unit)


def _face_length(landmarks: FloatArray) -> float:
    return float(np.ptp(landmarks[list(topology.FACE_OVAL)], axis=0).max())
