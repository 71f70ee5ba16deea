import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from fadm.face.cuts import Change, mark_changes
from fadm.media.image import read_image
from tests.media.samples import ASTRONAUT


def find_changes(frames, change: Change = Change.CUT) -> list[int]:
    return [number for number, (_, found, _) in enumerate(mark_changes(frames, lambda frame: frame)) if found is change]


def test_a_cut_is_found_once():
    portrait = read_image(ASTRONAUT)[:240, :320]
    other = read_image(ASTRONAUT)[272:, 192:][::-1, ::-1]
    assert find_changes([portrait] * 5 + [other] * 5 + [portrait] * 5) == [5, 10]


def test_a_pan_is_no_cut():
    windows = sliding_window_view(read_image(ASTRONAUT), (240, 320), axis=(0, 1))[100, ::8]
    assert find_changes(np.moveaxis(window, 0, -1) for window in windows) == []


def test_flickering_light_is_no_cut():
    portrait = read_image(ASTRONAUT)
    brightness = 1 - 0.15 * np.random.default_rng(0).random(20)
    assert find_changes((portrait * b).astype(np.uint8) for b in brightness) == []


def test_a_single_first_frame_is_no_cut():
    assert find_changes([np.zeros((2, 3, 3), np.uint8)]) == []


def test_a_frame_has_colours():
    with pytest.raises(ValueError, match="cannot reshape"):
        find_changes([np.zeros((4, 4, 3, 3), np.uint8)])


@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_is_no_cut(length):
    portrait = read_image(ASTRONAUT)[:240, :320]
    frames = [portrait] * 4 + [np.full_like(portrait, 250)] * length + [portrait] * 4
    assert find_changes(frames) == []
    assert find_changes(frames, Change.FLASH) == list(range(4, 4 + length))


def test_a_picture_that_stays_longer_is_a_shot():
    portrait = read_image(ASTRONAUT)[:240, :320]
    frames = [portrait] * 4 + [np.full_like(portrait, 250)] * 3 + [portrait] * 4
    assert find_changes(frames) == [4, 7] and find_changes(frames, Change.FLASH) == []


def test_all_frames_come_out_in_order():
    frames = [np.full((8, 8, 3), 20 * (number % 3), np.uint8) for number in range(7)]
    out = [frame for frame, _, _ in mark_changes(iter(frames), lambda frame: frame)]
    assert len(out) == 7 and all(a is b for a, b in zip(out, frames, strict=True))
