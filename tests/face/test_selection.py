import numpy as np
import pytest

from fadm.errors import FaceError, OptionError
from fadm.face.selection import choose_face
from fadm.face.topology import FACE_OVAL, NUM_LANDMARKS
from fadm.options import check_face


def make_face(x: float, y: float, width: float, height: float) -> np.ndarray:
    """Landmarks whose oval fills a box with that middle."""
    angle = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    face = np.tile(np.array([x, y, 0], np.float32), (NUM_LANDMARKS, 1))
    face[list(FACE_OVAL), :2] += 0.5 * np.stack([width * np.sin(angle), -height * np.cos(angle)], 1)
    return face


SMALL, LARGE, MIDDLE = make_face(50, 60, 30, 40), make_face(300, 90, 80, 100), make_face(150, 80, 40, 50)
FACES = [LARGE, SMALL, MIDDLE]


@pytest.mark.parametrize(("choice", "index"), [("largest", 0), ("left", 1), ("1", 1), ("2", 2), ("3", 0)])
def test_choice_among_several(choice, index):
    assert choose_face(FACES, choice, "source") == index


def test_the_only_face():
    assert choose_face([SMALL], "only", "source") == 0


@pytest.mark.parametrize(("choice", "message"), [("only", "3 faces, choose one"), ("4", "face 4 asked for, 3 found")])
def test_errors_list_all_faces_from_the_left(choice, message):
    boxes = r"1: 30x40 pixels at x 35, y 40; 2: 40x50 pixels at x 130, y 55; 3: 80x100 pixels at x 260, y 40"
    with pytest.raises(FaceError, match=f"^driver 'a.mp4': {message}.*{boxes}"):
        choose_face(FACES, choice, "driver 'a.mp4'")


def test_no_face_and_a_face_too_small():
    with pytest.raises(FaceError, match=r"source: no face found; .* at least 24 pixels"):
        choose_face([], "largest", "source")
    with pytest.raises(FaceError, match="the face is 20 pixels high, at least 24"):
        choose_face([make_face(50, 50, 15, 20)], "largest", "source")


@pytest.mark.parametrize("choice", ["0", "-1", "1.5", "biggest", "", "²"])
def test_unknown_choices(choice):
    with pytest.raises(OptionError, match="largest, left, only, or a number"):
        check_face(choice)
