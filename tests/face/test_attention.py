import numpy as np
import pytest

from fadm.face.masks import draw_attention
from fadm.face.topology import EYES, FACE_OVAL, OUTER_LOWER_LIP, OUTER_UPPER_LIP
from tests.data.synthetic.test_clips import make_clip

SIZE = 256


def look_at(picture, points):
    """Values at points (N, 2)."""
    x, y = points.round().astype(int).T
    return picture[0].numpy()[y, x]


def test_eyes_and_mouth_count_most_then_the_face():
    landmarks = make_clip(0).landmarks[0]
    attention = draw_attention(landmarks, SIZE)
    assert attention.shape == (1, SIZE, SIZE) and set(np.unique(attention)) == {0, 85, 255}
    for upper, lower in [eye[:2] for eye in EYES] + [(OUTER_UPPER_LIP, OUTER_LOWER_LIP)]:
        assert (look_at(attention, landmarks[[*upper, *lower], :2]) == 255).all()
    cheeks = landmarks[[205, 425], :2]
    assert (look_at(attention, cheeks) == 85).all()
    oval = landmarks[list(FACE_OVAL), :2]
    outside = oval.mean(0) + 1.2 * (oval - oval.mean(0))
    assert (look_at(attention, outside.clip(0, SIZE - 1)) == 0).all()


@pytest.mark.parametrize("roll", [0, 25])
def test_closed_eyes_are_looked_at_too(roll):
    """Lids that meet in a line have a height nevertheless, whichever way the head is tilted."""
    landmarks, angle = make_clip(0).landmarks[0].copy(), np.deg2rad(roll)
    for upper, lower, _ in EYES:
        first, last = landmarks[upper[0], :2].copy(), landmarks[upper[-1], :2].copy()
        last = first + np.ptp(landmarks[list(upper), 0]) * np.sign(last - first)[0] * np.array([1, np.tan(angle)])
        landmarks[list(upper), :2] = landmarks[list(lower), :2] = np.linspace(first, last, len(upper))
    attention = draw_attention(landmarks, SIZE)
    for upper, _, _ in EYES:
        lids = landmarks[list(upper), :2]
        height = 0.08 * np.ptp(lids[:, 0]) * np.array([-np.sin(angle), np.cos(angle)])
        for places in (lids, lids + height, lids - height):
            assert (look_at(attention, places) == 255).all()
        assert (look_at(attention, lids.mean(0, keepdims=True) - 8 * height) == 85).all()


def test_a_face_beyond_the_picture_is_cut_off():
    landmarks = make_clip(0).landmarks[0] + np.array([SIZE, 0, 0], np.float32)
    assert draw_attention(landmarks, SIZE).shape == (1, SIZE, SIZE)
    assert draw_attention(landmarks + SIZE, SIZE).max() == 0
