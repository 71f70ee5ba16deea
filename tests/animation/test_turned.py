"""Sources and drivers whose face lies on its side or upside down, without a tag that says so."""

import numpy as np
import pytest

from fadm import AnimateOptions, Animator
from fadm.errors import TurnedFaceError
from fadm.media.image import read_image
from fadm.media.reader import open_frames
from fadm.options import MotionOptions
from tests.clips import carphone_frames, write_clip
from tests.media.samples import ASTRONAUT

OPTIONS = AnimateOptions(renderer="none", size=96)
UPRIGHT = carphone_frames()[::3]


@pytest.fixture(scope="module")
def animator():
    return Animator(device="cpu")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "upright.mp4", UPRIGHT)


@pytest.fixture(scope="module")
def expected(animator, clip):
    return list(animator.animate(ASTRONAUT, clip, OPTIONS))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_source_moves_as_it_lies(animator, clip, expected, turns):
    source = np.ascontiguousarray(np.rot90(read_image(ASTRONAUT), -turns))
    frames = animator.animate(source, clip, OPTIONS)
    for frame, upright in zip(frames, expected, strict=True):
        assert np.abs(np.rot90(frame, turns).astype(int) - upright).mean() < 0.5


@pytest.mark.parametrize("turns", [1, 2])
def test_a_turned_driver_drives_as_an_upright_one(animator, expected, tmp_path, turns):
    turned = write_clip(tmp_path / "turned.mp4", [np.ascontiguousarray(np.rot90(f, -turns)) for f in UPRIGHT])
    for frame, upright in zip(animator.animate(ASTRONAUT, turned, OPTIONS), expected, strict=True):
        assert np.abs(frame.astype(int) - upright).mean() < 1.5  # the two files are coded differently


def test_a_video_that_is_to_stay_as_it_is_must_be_turned_first(animator, tmp_path):
    turned = write_clip(tmp_path / "turned.mp4", [np.ascontiguousarray(frame[::-1, ::-1]) for frame in UPRIGHT])
    with pytest.raises(
        TurnedFaceError, match=r"turned.mp4': the face lies upside down; turn the picture by 180 degrees"
    ):
        animator.read_motion(open_frames(turned), MotionOptions())


def test_frames_are_turned_when_they_are_read(clip):
    frames = open_frames(clip)
    upright = next(iter(frames)).pixels
    frames.turn(1)
    assert (frames.width, frames.height) == upright.shape[:2]
    assert np.array_equal(next(iter(frames)).pixels, np.rot90(upright))
