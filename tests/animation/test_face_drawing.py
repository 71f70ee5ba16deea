import numpy as np
import pytest
from PIL import Image, ImageDraw

from fadm.animation.face_drawing import LARGEST, SMALLEST, draw_faces
from fadm.animation.face_lines import ACCENT, DARK, LIGHT, OVAL, draw_line
from fadm.animation.inspection import inspect_picture
from fadm.media.image import read_image
from tests.attributes.stand_in_head import imported_heads
from tests.face.portraits import read_portrait
from tests.media.samples import ASTRONAUT


@pytest.fixture(scope="module")
def astronaut():
    pixels = read_image(ASTRONAUT)
    return pixels, inspect_picture(pixels)


def is_near(pixels: np.ndarray, colour: tuple[int, int, int], distance: float = 60) -> np.ndarray:
    return np.abs(pixels.astype(int) - colour).max(-1) < distance


def test_the_picture_is_drawn_larger_with_boxes_and_cards_beside_it(astronaut):
    pixels, faces = astronaut
    drawn = draw_faces(pixels, faces)
    assert drawn.dtype == np.uint8 and drawn.shape[0] >= SMALLEST and drawn.shape[1] >= SMALLEST
    corner = drawn[SMALLEST - 300 : SMALLEST, :80]  # far from the face nothing is drawn
    resized = Image.fromarray(pixels).resize((SMALLEST, SMALLEST), Image.Resampling.LANCZOS)
    assert np.abs(corner.astype(int) - np.asarray(resized)[-300:, :80]).max() <= 1
    left, top, right, bottom = (round(2 * (side + 0.5)) for side in faces[0].box)
    edges = [drawn[top:bottom, x - 3 : x + 4] for x in (left, right)]
    assert all(is_near(edge, ACCENT).any(axis=1).mean() > 0.95 for edge in edges)


@pytest.mark.parametrize("size", [(64, 64), (2600, 1300)])
def test_pictures_of_any_size_are_drawn_readably(size):
    pixels = np.array(Image.fromarray(read_portrait().pixels).resize(size))
    drawn = draw_faces(pixels, inspect_picture(pixels)[:1])
    shown = min(max(*size, SMALLEST), LARGEST)
    assert max(drawn.shape) >= shown and is_near(drawn[:shown, :shown], ACCENT).any()


def test_many_faces_have_a_card_each(astronaut):
    pixels, (face, *_) = astronaut
    one, many = draw_faces(pixels, [face]), draw_faces(pixels, [face] * 7)
    assert many.shape[0] * many.shape[1] > one.shape[0] * one.shape[1]
    assert max(many.shape) < 3 * SMALLEST  # not in one long row


def test_the_mesh_lies_over_the_face_alone(astronaut, tmp_path):
    from fadm.attributes.deca_face import load_head_networks
    from fadm.device import choose_device

    pixels, without = astronaut
    with imported_heads(tmp_path):
        faces = inspect_picture(pixels, networks=load_head_networks(choose_device("cpu")))
    plain, drawn = draw_faces(pixels, without), draw_faces(pixels, faces)
    assert drawn.shape[1] > SMALLEST and (drawn.shape != plain.shape)
    top = SMALLEST + 10  # cards are below the picture; each view has 300 pixels and a margin of 10
    landmarks, mesh = (drawn[top : top + 300, left : left + 300].astype(int) for left in (10, 320))
    change = np.abs(landmarks - mesh).max(-1)
    assert (change[110:190, 110:190] > 20).mean() > 0.5  # the face, now grey
    assert (change[-60:] <= 1).all()  # the suit below it
    grey = mesh[110:130, 170:190]
    assert np.ptp(grey, axis=-1).mean() < 8


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_lines_are_seen_on_dark_and_on_bright(shade):
    picture = Image.new("RGB", (40, 40), (shade,) * 3)
    draw_line(ImageDraw.Draw(picture), np.array([[5, 20], [35, 20]], np.float32), OVAL, 4)
    column = np.asarray(picture)[:, 20]
    assert is_near(column, OVAL, 5).any() and is_near(column, DARK, 5).any()


def test_the_outline_follows_the_person(astronaut):
    pixels, (face, *_) = astronaut
    drawn = draw_faces(pixels, [face])[:SMALLEST, :SMALLEST]
    resized = np.asarray(Image.fromarray(pixels).resize((SMALLEST, SMALLEST), Image.Resampling.LANCZOS))
    hair = np.s_[30:110, 300:600]  # above the box, where nothing else is drawn
    changed = np.abs(drawn[hair].astype(int) - resized[hair]).max(-1) > 40
    assert changed.any(axis=0).mean() > 0.5 and changed.mean() < 0.1
    assert is_near(drawn[hair][changed], LIGHT).any() or is_near(drawn[hair][changed], DARK).any()


def test_a_picture_without_faces_has_no_cards():
    assert draw_faces(np.zeros((32, 16, 3), np.uint8), []).shape == (SMALLEST, SMALLEST // 2, 3)


def test_grey_pictures_are_refused():
    with pytest.raises((ValueError, TypeError), match=r"Cannot handle|shape|broadcast"):
        draw_faces(np.zeros((32, 32, 1), np.uint8), [])
