"""The renderer that comes with the package, on faces that anyone has."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from fadm import AnimateOptions, Animator
from fadm.face.segmentation import segment_people
from fadm.media.crop import to_tensor
from fadm.media.image import read_image, write_image
from fadm.media.reader import open_frames
from tests.clips import GRACE_HOPPER
from tests.media.samples import CARPHONE

FIRST_BODY_ROW = 300  # of Grace Hopper's picture


@cache
def animator() -> Animator:
    return Animator(device="cpu")


def draw(source: Path, driver: Path, renderer: str) -> np.ndarray:
    return next(animator().animate(source, driver, AnimateOptions(renderer=renderer))).astype(np.float32)


def write_frame(index: int, path: Path) -> np.ndarray:
    """A frame of a man in a car."""
    pixels = next(frame.pixels for number, frame in enumerate(open_frames(CARPHONE)) if number == index)
    write_image(path, pixels)
    return pixels


@pytest.mark.parametrize(("source", "driver"), [(0, 40), (90, 60), (60, 110)])
def test_it_brings_frames_nearer_to_the_truth(tmp_path, source, driver):
    paths = tmp_path / "source.png", tmp_path / "driver.png"
    write_frame(source, paths[0])
    truth = write_frame(driver, paths[1])  # the driver is the same person
    rendered, coarse = (float(np.abs(draw(*paths, name) - truth).mean()) for name in ("auto", "none"))
    assert rendered < 0.985 * coarse


def test_a_head_that_has_moved_leaves_no_ghost(tmp_path):
    write_frame(60, tmp_path / "driver.png")
    rendered, coarse = (draw(GRACE_HOPPER, tmp_path / "driver.png", name) for name in ("auto", "none"))
    source = read_image(GRACE_HOPPER)
    before, after = (segment_people(to_tensor(pixels))[0, 0].numpy() for pixels in (source, coarse.astype(np.uint8)))
    is_left = (before > 0.9) & (after < 0.1)
    is_left[FIRST_BODY_ROW:] = False
    ghost, change = source[is_left] - coarse[is_left], rendered[is_left] - coarse[is_left]
    assert len(ghost) > 5000 and np.abs(ghost).mean() > 50
    assert abs((change * ghost).sum() / (ghost**2).sum()) < 0.1  # the share of the source that is still seen
