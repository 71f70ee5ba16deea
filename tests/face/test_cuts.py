import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from fadm.face.cuts import CutDetector
from fadm.media.image import read_image
from tests.media.samples import ASTRONAUT


def find_cuts(frames) -> list[int]:
    detector = CutDetector()
    return [number for number, pixels in enumerate(frames) if detector.is_cut(pixels)]


def test_a_cut_is_found_once():
    portrait = read_image(ASTRONAUT)[:240, :320]
    other = read_image(ASTRONAUT)[272:, 192:][::-1, ::-1]
    assert find_cuts([portrait] * 5 + [other] * 5 + [portrait] * 5) == [5, 10]


def test_a_pan_is_no_cut():
    windows = sliding_window_view(read_image(ASTRONAUT), (240, 320), axis=(0, 1))[100, ::8]
    assert find_cuts(np.moveaxis(window, 0, -1) for window in windows) == []


def test_flickering_light_is_no_cut():
    portrait = read_image(ASTRONAUT)
    brightness = 1 - 0.15 * np.random.default_rng(0).random(20)
    assert find_cuts((portrait * b).astype(np.uint8) for b in brightness) == []


def test_a_single_first_frame_is_no_cut():
    assert find_cuts([np.zeros((2, 3, 3), np.uint8)]) == []


def test_a_frame_has_colours():
    with pytest.raises(ValueError, match="cannot reshape"):
        CutDetector().is_cut(np.zeros((4, 4, 3, 3), np.uint8))
