import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.tracking import cover
from fadm.face.landmarker import face_region
from fadm.face.region import count_turns, turn_points
from fadm.face.topology import CHIN, FOREHEAD_TOP, IRIS_LEFT, IRIS_RIGHT
from fadm.face.tracker import FaceTracker, face_box
from fadm.media.crop import resize_pixels
from fadm.media.image import read_image
from tests.face.portraits import picture_tracker, track_picture
from tests.face.scenes import carphone
from tests.media.samples import ASTRONAUT

FACE_BOX = (179, 69, 271, 177)  # the astronaut's, pixels


def put_on_canvas(size: int, canvas: tuple[int, int], left: int, top: int) -> np.ndarray:
    """The astronaut as a picture of `size` pixels on uneven grey (height, width)."""
    rng = np.random.default_rng(0)
    small = rng.integers(90, 150, (9, 12, 1), np.uint8).repeat(3, -1)
    pixels = resize_pixels(small, canvas[1], canvas[0])
    pixels[top : top + size, left : left + size] = resize_pixels(read_image(ASTRONAUT), size, size)
    return pixels


@pytest.mark.parametrize("is_video", [False, True])
def test_a_portrait_has_one_face_with_eyes_where_they_are(is_video):
    with FaceTracker(is_video=is_video) as tracker:
        (face,) = (face.landmarks for face in tracker.track(read_image(ASTRONAUT)))
    assert face.shape == (478, 3) and face.dtype == np.float32
    np.testing.assert_allclose(face_box(face), FACE_BOX, atol=3)
    np.testing.assert_allclose(face[IRIS_RIGHT[0], :2], [203, 101], atol=2)
    np.testing.assert_allclose(face[IRIS_LEFT[0], :2], [246, 103], atol=2)
    assert face[FOREHEAD_TOP, 1] < face[IRIS_LEFT[0], 1] < face[CHIN, 1]


@pytest.fixture
def warned(recwarn):
    """Warnings, also those that torch gives once in a process."""
    torch.set_warn_always(True)
    yield recwarn.list
    torch.set_warn_always(False)


def test_a_read_only_array_is_tracked_without_a_warning(warned):
    with Image.open(ASTRONAUT) as picture, FaceTracker() as tracker:
        pixels = np.asarray(picture.convert("RGB"))
        assert not pixels.flags.writeable and len(tracker.track(pixels)) == 1
    assert not warned


def test_half_the_size_gives_half_the_coordinates():
    pixels = read_image(ASTRONAUT)
    (large,), (small,) = track_picture(pixels), track_picture(resize_pixels(pixels, 256, 256))
    np.testing.assert_allclose((small + 0.5)[:, :2] * 2, (large + 0.5)[:, :2], atol=3)


@pytest.mark.parametrize(("size", "canvas"), [(256, (480, 640)), (128, (960, 1280)), (400, (1600, 2400))])
def test_a_small_face_in_a_large_picture_is_found(size, canvas):
    left, top = canvas[1] // 2, canvas[0] // 4
    (face,) = track_picture(put_on_canvas(size, canvas, left, top))
    expected = np.array(FACE_BOX) * size / 512 + [left, top] * 2
    np.testing.assert_allclose(face_box(face), expected, atol=0.02 * size)


def test_a_large_picture_has_each_face_once():
    """It is searched at a smaller size as well, whose coordinates are those of the picture."""
    with FaceTracker(is_video=False) as tracker:
        (face,) = tracker.track(resize_pixels(read_image(ASTRONAUT), 3200, 3200))
    np.testing.assert_allclose(face_box(face.landmarks), np.multiply(FACE_BOX, 3200 / 512), atol=25)


def test_two_faces_side_by_side():
    pixels = read_image(ASTRONAUT)
    with FaceTracker() as video_tracker:
        for tracker in (picture_tracker(), video_tracker):
            faces = [face.landmarks for face in tracker.track(np.concatenate([pixels, pixels], 1))]
            faces.sort(key=lambda face: face[0, 0])
            assert len(faces) == 2
            np.testing.assert_allclose(faces[1][:, :2] - faces[0][:, :2], [[512, 0]] * 478, atol=4)


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("is_video", [False, True])
def test_a_face_that_lies_is_found_as_it_lies(turns, is_video):
    """An upside-down face has an upright false one at its place, of which the network is less sure."""
    pixels = read_image(ASTRONAUT)
    (upright,) = track_picture(pixels)
    with FaceTracker(is_video=is_video) as tracker:
        (face,) = tracker.track(np.rot90(pixels, -turns))
    np.testing.assert_allclose(turn_points(face.landmarks, (512, 512), turns)[:, :2], upright[:, :2], atol=2)
    assert count_turns(face_region(face.landmarks)) == turns


@pytest.mark.parametrize("turns", [0, 2])
def test_a_face_behind_fingers_stands_the_right_way_up(turns):
    """Fingers over mouth and chin look like the brows of an upside-down face, of which the network is as sure."""
    pixels = carphone(1)[0]
    (known,) = track_picture(pixels)
    left, top, right, bottom = face_box(known)
    covered = cover(pixels, (left, (top + bottom) / 2, right, bottom))
    (face,) = (turn_points(f, pixels.shape[:2], turns) for f in track_picture(np.rot90(covered, -turns)))
    irises = [IRIS_LEFT[0], IRIS_RIGHT[0]]
    np.testing.assert_allclose(face[irises, :2], known[irises, :2], atol=4)


def test_no_face_is_an_empty_list():
    empty = np.full((120, 160, 3), 128, np.uint8)
    with FaceTracker() as tracker:
        assert tracker.track(empty) == []
        assert len(tracker.track(read_image(ASTRONAUT))) == 1
        tracker.reset()
        assert tracker.track(empty) == []
    assert track_picture(empty) == []


def test_pixels_are_rgb():
    with pytest.raises(ValueError, match="three-channel RGB"):
        track_picture(np.zeros((32, 32, 4), np.uint8))
