import numpy as np
import pytest

from fadm.face.detector import FULL_RANGE, MODELS, SHORT_RANGE, search_faces
from fadm.face.tracker import face_box
from fadm.media.image import read_image
from tests.face.portraits import track_picture
from tests.media.samples import ASTRONAUT


def test_anchors_run_along_rows_layer_by_layer():
    assert SHORT_RANGE.anchors.shape == (896, 2) and FULL_RANGE.anchors.shape == (2304, 2)
    np.testing.assert_allclose(SHORT_RANGE.anchors[:4] * 16, [[0.5, 0.5], [0.5, 0.5], [1.5, 0.5], [1.5, 0.5]])
    np.testing.assert_allclose(SHORT_RANGE.anchors[[512, 518, -1]] * 8, [[0.5, 0.5], [1.5, 0.5], [7.5, 7.5]])
    np.testing.assert_allclose(FULL_RANGE.anchors[[1, 48]] * 48, [[1.5, 0.5], [0.5, 1.5]])


@pytest.mark.parametrize("model", MODELS, ids=["short range", "full range"])
def test_each_model_finds_the_face_where_it_is(model):
    pixels = read_image(ASTRONAUT)
    left, top, right, bottom = face_box(track_picture(pixels)[0])
    (found,) = next(search_faces(pixels, models=[model]))
    assert found.score > 0.7
    assert abs(found.region.x - (left + right) / 2) < 15 and abs(found.region.y - (top + bottom) / 2) < 25
    assert bottom - top < found.region.side < 2.2 * (bottom - top)
    assert abs(np.degrees(found.region.angle)) < 10


def test_a_picture_turned_with_its_window_gives_a_turned_face():
    pixels = np.ascontiguousarray(np.rot90(read_image(ASTRONAUT), -1))
    found = next(search_faces(pixels, turns=[np.pi / 2]))[0]
    assert np.degrees(found.region.angle) == pytest.approx(90, abs=10)


def test_a_wall_has_no_face_however_closely_it_is_searched():
    wall = np.full((300, 400, 3), 128, np.uint8)
    assert not any(search_faces(wall, is_thorough=True))
