import io
import json
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from fadm.attributes.landmark_model import load_landmark_model
from fadm.data.prepare.layouts import Recording
from fadm.data.prepare.options import PrepareOptions
from fadm.data.prepare.samples import cut_crops, make_sample
from fadm.data.prepare.selection import Candidate
from fadm.media.crop import Square
from fadm.media.frames import Frame
from tests.data.prepare.test_selection import made_up_landmarks


def make_candidate(numbers: tuple[int, ...], window: Square, reason: str = "") -> Candidate:
    landmarks = made_up_landmarks(len(numbers))
    return Candidate(0, 0, window, numbers, landmarks, face=100, began=0, seconds=1, reason=reason)


def make_frames(count: int) -> list[Frame]:
    """Grey as bright as ten times the frame's number, white on the right."""
    frames = []
    for number in range(count):
        pixels = np.full((60, 90, 3), 10 * number, np.uint8)
        pixels[:, 60:] = 255
        frames.append(Frame(pixels, number, Fraction(number)))
    return frames


def brightness(content: bytes) -> list[int]:
    """Of each square of a strip or picture."""
    pixels = np.array(Image.open(io.BytesIO(content)))
    return [round(float(part.mean()) / 10) for part in np.split(pixels, pixels.shape[1] // pixels.shape[0], axis=1)]


def test_each_clip_gets_its_own_frames_from_its_own_window():
    kept = make_candidate((1, 3, 4), Square(0, 0, 40))
    dropped = make_candidate((3, 5), Square(65, 10, 20), "too short")
    files, strips = cut_crops(make_frames(8), [kept, dropped], 32, 95)
    assert [brightness(content) for content in files[0]] == [[1], [3], [4]] and files[1] == []
    assert brightness(strips[0]) == [1, 3, 4] and brightness(strips[1]) == [26, 26]
    assert Image.open(io.BytesIO(files[0][0])).size == (32, 32)


def test_a_strip_has_eight_frames_at_most():
    files, strips = cut_crops(make_frames(25), [make_candidate(tuple(range(22)), Square(0, 0, 40))], 32, 95)
    assert len(files[0]) == 22 and brightness(strips[0]) == [0, 3, 6, 9, 12, 15, 18, 21]


def test_frames_after_the_last_one_needed_are_not_read():
    def frames():
        yield from make_frames(3)
        pytest.fail("read too far")

    cut_crops(frames(), [make_candidate((0, 2), Square(0, 0, 40))], 32, 95)
    assert cut_crops(frames(), [], 32, 95) == ([], [])


@pytest.mark.parametrize(("count", "last"), [(1, "k.00.jpg"), (101, "k.100.jpg")])
def test_names_sort_as_frames_do(count, last):
    candidate = make_candidate(tuple(range(count)), Square(100, 50, 200))
    recording = Recording("k", "k", "ä.mp4", "video", "x", "mine")
    pictures = [b"jpeg"] * count
    files = make_sample("k", recording, candidate, pictures, (512, 512, 25.0), load_landmark_model(), PrepareOptions())
    names = [name for name in files if name.endswith("jpg")]
    assert names == sorted(names) and names[-1] == last
    landmarks = np.load(io.BytesIO(files["k.landmarks.npy"]))
    expected = (candidate.landmarks - np.array([99.5, 49.5, 0])) / 200
    np.testing.assert_allclose(landmarks, expected, atol=1e-3)
    assert json.loads(files["k.json"])["file"] == "ä.mp4"
