import numpy as np
import pytest
import torch

from fadm.attributes.landmark_model import load_landmark_model
from fadm.coarse.geometric.interior import MOUTH_SIZE, paint_mouth_interior
from fadm.face import topology

NEUTRAL = (load_landmark_model().mean.numpy() * 90 + [128, 128, 0]).astype(np.float32)
UPPER, LOWER = list(topology.INNER_UPPER_LIP), list(topology.INNER_LOWER_LIP)


def open_mouth(height: float) -> np.ndarray:
    """The neutral face with its lips parted by a height in pixels."""
    face = NEUTRAL.copy()
    share = np.sin(np.linspace(0, np.pi, len(UPPER)))
    middle = (face[UPPER, 1] + face[LOWER, 1]) / 2
    face[UPPER, 1], face[LOWER, 1] = middle, middle + height * share
    return face


def make_picture(landmarks: np.ndarray) -> torch.Tensor:
    """Red skin, green between the lips."""
    picture = torch.zeros(1, 3, 256, 256)
    picture[:, 0] = 0.8
    left, right = landmarks[UPPER[0], 0], landmarks[UPPER[-1], 0]
    top, bottom = landmarks[UPPER, 1].min(), landmarks[LOWER, 1].max()
    picture[:, :, round(float(top)) : round(float(bottom)) + 1, round(float(left)) : round(float(right)) + 1] = (
        torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1)
    )
    return picture


def look(mouth, x: float, y: float) -> torch.Tensor:
    """Colour (3,) of the mouth's picture at a place of the source."""
    scale = MOUTH_SIZE / mouth.window.side
    column, row = round((x - mouth.window.left) * scale), round((y - mouth.window.top) * scale)
    return mouth.picture[0, :, row, column]


def test_the_window_lies_around_the_mouth():
    mouth = paint_mouth_interior(make_picture(NEUTRAL), NEUTRAL)
    assert mouth.picture.shape == (1, 3, MOUTH_SIZE, MOUTH_SIZE)
    assert mouth.picture.min() >= 0 and mouth.picture.max() <= 1
    corners = NEUTRAL[[UPPER[0], UPPER[-1]], :2]
    middle = np.array([mouth.window.left, mouth.window.top]) + mouth.window.side / 2
    np.testing.assert_allclose(middle, corners.mean(0), atol=1)
    assert mouth.window.side > 2 * np.linalg.norm(corners[1] - corners[0])


def test_an_open_mouth_shows_its_own_interior():
    landmarks = open_mouth(24)
    mouth = paint_mouth_interior(make_picture(landmarks), landmarks)
    x, y = landmarks[UPPER[5], 0], landmarks[UPPER[5], 1] + 8
    torch.testing.assert_close(look(mouth, x, y), torch.tensor([0.0, 1.0, 0.0]), atol=0.02, rtol=0)


def test_a_closed_mouth_gets_teeth_above_a_dark_cavity():
    landmarks = open_mouth(1)
    mouth = paint_mouth_interior(torch.full((1, 3, 256, 256), 0.6), landmarks)
    x, y = landmarks[UPPER[5], :2]
    width = landmarks[UPPER[-1], 0] - landmarks[UPPER[0], 0]
    teeth, cavity = look(mouth, x, y + 0.06 * width), look(mouth, x, y + 0.25 * width)
    assert teeth.mean() > 2 * cavity.mean()
    assert cavity.mean() < 0.25


def test_a_mouth_needs_its_landmarks():
    with pytest.raises(IndexError, match="out of bounds"):
        paint_mouth_interior(make_picture(NEUTRAL), NEUTRAL[:100])
