import math
from dataclasses import replace

import numpy as np
import pytest

from fadm.face.landmarker import face_region, see_face, settle_face
from fadm.face.region import Region
from tests.face.portraits import read_portrait


def test_presence_is_high_on_the_face_and_low_on_the_wall():
    portrait = read_portrait()
    region = face_region(portrait.landmarks)
    face, wall = (see_face(portrait.pixels, r) for r in (region, Region(225, 70, 60)))
    assert face.presence > 0.9 and wall.presence < 0.1
    assert face.landmarks.shape == face.points.shape == (478, 3)
    assert face.window.shape == (256, 256, 3) and 0 <= face.window.min() <= face.window.max() <= 1
    np.testing.assert_allclose(region.to_picture(face.points), face.landmarks)


def test_a_face_that_is_settled_stays_where_it_is():
    portrait = read_portrait()
    settled = settle_face(portrait.pixels, face_region(portrait.landmarks))
    np.testing.assert_allclose(settled.landmarks[:, :2], portrait.landmarks[:, :2], atol=1)


def test_a_face_settles_from_a_region_that_lies_beside_it():
    portrait = read_portrait()
    region = face_region(portrait.landmarks)
    beside = replace(region, x=region.x + 0.15 * region.side, side=1.2 * region.side)
    settled = settle_face(portrait.pixels, beside)
    np.testing.assert_allclose(settled.landmarks[:, :2], portrait.landmarks[:, :2], atol=1.5)
    assert settle_face(portrait.pixels, Region(225, 70, 60)) is None


@pytest.mark.parametrize("degrees", [-120, 0, 30, 90])
def test_the_region_turns_with_the_eyes(degrees):
    landmarks = read_portrait().landmarks.copy()
    level = face_region(landmarks)
    turn = math.radians(degrees)
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]], np.float32)
    landmarks[:, :2] = landmarks[:, :2] @ matrix.T
    region = face_region(landmarks)
    assert math.degrees(region.angle - level.angle - turn + math.pi) % 360 == pytest.approx(180, abs=0.01)
    assert region.side == pytest.approx(level.side, rel=1e-4)
