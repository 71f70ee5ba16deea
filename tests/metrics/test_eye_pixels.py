import pytest
import torch

from fadm.metrics.eye_pixels import EYE, enlarge_eye, measure_eye_pixels
from tests.metrics.test_following import make_eyes

SIZE = (80, 160)
SKIN, WHITE, DARK = 0.6, 0.8, 0.1


def draw_eyes(opening, shift):
    """Eyes drawn as lens-shaped openings with a dark iris between skin (1, 3, H, W), and their landmarks."""
    landmarks = make_eyes(opening, [shift, 0.0]) + torch.tensor([0.0, 40.0])
    y, x = torch.meshgrid(*(torch.arange(n).float() for n in SIZE), indexing="ij")
    picture = torch.full(SIZE, SKIN)
    for middle in (60.0, 110.0):
        across, down = (x - middle) / 20, (y - 40) / 20
        is_open = down.abs() < opening / 2 * (1 - (2 * across) ** 2).clamp(min=0)
        iris = (across - shift) ** 2 + down**2 < 0.2**2
        picture = picture.where(~is_open, torch.where(iris, DARK, WHITE))
    return picture.expand(1, 3, -1, -1), landmarks


def test_an_eye_is_enlarged_upright_in_the_middle():
    picture, landmarks = draw_eyes(0.4, 0.0)
    for eye in (0, 1):
        window = enlarge_eye(picture, landmarks, eye)
        assert window.shape == (1, 3, 64, 96)
        assert window[0, 0, 32, 48] < 0.2 and window[0, 0, 4, 4] == pytest.approx(SKIN)
        assert window[0, 0, 32, 48 - EYE // 2 + 8] > SKIN  # white beside the iris, within the corners


def test_rows_that_show_the_iris_are_the_opening():
    openings = [measure_eye_pixels(*draw_eyes(opening, 0.0))[0, 0].item() for opening in (0.0, 0.15, 0.3, 0.45)]
    assert openings[0] == pytest.approx(0, abs=1e-5) and openings == sorted(openings)
    assert 0.6 < (openings[3] - openings[1]) / 0.3 < 1.3


def test_a_dark_iris_is_found_where_it_is():
    shifts = [measure_eye_pixels(*draw_eyes(0.4, shift))[0, 2:] for shift in (-0.15, 0.0, 0.15)]
    for found, shift in zip(shifts, (-0.15, 0.0, 0.15), strict=True):
        assert found.tolist() == pytest.approx([shift, shift], abs=0.04)


def test_without_a_face_or_with_a_tiny_one_there_is_nothing():
    picture, landmarks = draw_eyes(0.4, 0.0)
    assert measure_eye_pixels(picture, landmarks / 4).isnan().all()
    assert measure_eye_pixels(picture, torch.full_like(landmarks, torch.nan)).isnan().all()
