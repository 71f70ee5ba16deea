from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation, binary_erosion

from fadm.attributes.landmark_model import load_landmark_model
from fadm.data.clips import Face, read_face
from fadm.data.pairs.generators import make_pair_generator
from fadm.data.shards import read_tracked_clips
from fadm.data.synthetic.clips import SyntheticOptions, make_synthetic_clip, write_synthetic_shards
from fadm.errors import OptionError, OutputError
from fadm.face import topology

SMALL = SyntheticOptions(clips=3, validation_clips=2, frames=4, size=96)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_synthetic_shards(tmp_path_factory.mktemp("synthetic"), SMALL)


@cache
def make_clip(number):
    return make_synthetic_clip(load_landmark_model(), SyntheticOptions(frames=3), np.random.default_rng(number))


def cover(size, *outlines):
    """What lies within the outlines (size, size), each (N, 2) in pixels."""
    canvas = Image.new("L", (size, size))
    for outline in outlines:
        ImageDraw.Draw(canvas).polygon([(x, y) for x, y in outline.tolist()], fill=1)
    return np.array(canvas, bool)


def gap_between(landmarks, upper, lower):
    return landmarks[[*upper, *lower[-2:0:-1]], :2]


def test_the_same_options_give_the_same_bytes(shards, tmp_path):
    again = write_synthetic_shards(tmp_path / "a" / "b", SMALL)
    for first, second in zip((*shards[0], *shards[1]), (*again[0], *again[1]), strict=True):
        assert first.name == second.name and first.read_bytes() == second.read_bytes()
    other = write_synthetic_shards(tmp_path, replace(SMALL, seed=1))
    assert other[1][0].read_bytes() != shards[1][0].read_bytes()


def test_the_shards_are_clips(shards):
    train, validation = (list(read_tracked_clips(part)) for part in shards)
    assert (len(train), len(validation)) == (3, 2)
    assert len({clip.identity for clip in (*train, *validation)}) == 5
    for clip in (*train, *validation):
        assert clip.identity.startswith("synthetic-")
        assert clip.info["kind"] == "synthetic" and clip.info["tier"] == "open" and clip.info["frames"] == 4
        assert clip.landmarks.shape == (4, 478, 3) and len(clip.pictures) == 4
        assert clip.pictures[0].read().shape == (96, 96, 3)


def test_written_landmarks_are_those_of_the_pictures(shards):
    clip = next(read_tracked_clips(shards[0]))
    made = make_synthetic_clip(load_landmark_model(), SMALL, np.random.default_rng((0, 0, 0)))
    face = read_face(clip, 2, 96)
    np.testing.assert_allclose(face.landmarks, made.landmarks[2], atol=0.06)  # half precision
    assert np.abs(face.pixels - made.pictures[2].astype(float)).mean() < 3  # JPEG


def test_a_face_moves_and_the_background_does_not():
    clip = make_clip(0)
    assert np.ptp(clip.landmarks[:, topology.NOSE_TIP, 0]) > 2
    assert (np.ptp([picture[:20, :8] for picture in clip.pictures], axis=0) == 0).all()
    assert clip.pictures[0][:20].std() > 2


@pytest.mark.parametrize("number", range(4))
def test_lips_are_painted_where_the_landmarks_say(number):
    clip = make_clip(number)
    for picture, landmarks in zip(clip.pictures, clip.landmarks, strict=True):
        outer = cover(256, gap_between(landmarks, topology.OUTER_UPPER_LIP, topology.OUTER_LOWER_LIP))
        inner = cover(256, gap_between(landmarks, topology.INNER_UPPER_LIP, topology.INNER_LOWER_LIP))
        lips, around = outer & ~binary_dilation(inner), binary_dilation(outer, iterations=4)
        around &= ~binary_dilation(outer)
        redness = picture[..., 0] / (picture[..., 1] + 1.0)
        assert np.quantile(redness[lips], 0.1) > np.quantile(redness[around], 0.9)


@pytest.mark.parametrize("number", range(4))
def test_eyes_are_painted_where_the_landmarks_say(number):
    clip = make_clip(number)
    pupils, whites = [], []
    for picture, landmarks in zip(clip.pictures, clip.landmarks, strict=True):
        for upper, lower, iris in topology.EYES:
            center, ring = landmarks[iris[0], :2], landmarks[list(iris[1:]), :2]
            opening = binary_erosion(cover(256, gap_between(landmarks, upper, lower)))
            x, y = np.rint(center).astype(int)
            if opening[y, x]:
                pupils.append(picture[y, x].max())
            rows, columns = np.nonzero(opening)
            is_white = (
                np.hypot(columns - center[0], rows - center[1]) > np.linalg.norm(ring - center, axis=1).mean() + 1
            )
            whites += picture[rows[is_white], columns[is_white]].min(1).tolist()
    assert len(pupils) > 1 and max(pupils) < 60
    assert len(whites) > 10 and np.median(whites) > 210


def test_teeth_show_in_an_open_mouth_alone():
    seen = []
    for number in range(4):
        clip = make_clip(number)
        for picture, landmarks in zip(clip.pictures, clip.landmarks, strict=True):
            mouth = cover(256, gap_between(landmarks, topology.INNER_UPPER_LIP, topology.INNER_LOWER_LIP))
            if mouth.sum() > 60:
                seen.append((picture[mouth].min(1) > 120).mean())
    assert len(seen) > 2 and 0.02 < np.mean(seen) < 0.8


def test_a_warp_brings_the_source_nearer_to_the_driving_frame():
    clip = make_clip(1)
    source, *drivings = (Face(p, points) for p, points in zip(clip.pictures, clip.landmarks, strict=True))
    pairs = make_pair_generator("geometric", augmented=0)(source, drivings, np.random.default_rng(0))
    for driving, pair in zip(drivings, pairs, strict=True):
        face = cover(256, driving.landmarks[list(topology.FACE_OVAL), :2])
        before, after = (
            np.abs(made[face].astype(float) - driving.pixels[face]).mean() for made in (source.pixels, pair.coarse)
        )
        assert after < 0.6 * before


@pytest.mark.parametrize(("name", "given"), [("clips", 0), ("frames", 1), ("size", 16), ("seed", -1)])
def test_options_out_of_range(tmp_path, name, given):
    with pytest.raises(OptionError, match=f"{name} {given}: give .* or more"):
        write_synthetic_shards(tmp_path, replace(SMALL, **{name: given}))


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file' cannot be"):
        write_synthetic_shards(tmp_path / "file", SMALL)
