from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from fadm.data.clips import Face, resize_face
from fadm.data.pairs import stills
from fadm.data.pairs.generators import make_pair_generator
from fadm.data.pairs.stills import PictureMover, StillPairGenerator, read_clip_motions
from fadm.errors import InputError
from fadm.face.tracker import FaceTracker
from tests.data.made_up_clips import give_identity, write_clips

SIZE = 128


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return write_clips(tmp_path_factory.mktemp("clips"), clips=3)


@pytest.fixture(scope="module")
def motions(clips):
    return read_clip_motions(clips)


@pytest.fixture(scope="module")
def face():
    pixels = np.ascontiguousarray(astronaut()[:256, 96:352])
    with FaceTracker(is_video=False) as tracker:
        return Face(pixels, tracker.track(pixels)[0].landmarks)


@pytest.fixture(scope="module")
def generator(motions):
    return StillPairGenerator(make_pair_generator("geometric", 0.0, layers=("person",)), motions, SIZE)


def distance(first, second):
    return np.abs(first.astype(float) - second).mean()


def test_a_picture_is_moved_and_moved_back(face, generator):
    truth = resize_face(face, SIZE).pixels
    pairs = list(generator(face, [face, face], np.random.default_rng(0)))
    assert len(pairs) == 2 and not np.array_equal(pairs[0].still, pairs[1].still)
    for pair in pairs:
        assert pair.still.shape == pair.coarse.shape == (SIZE, SIZE, 3) and pair.person.shape == (2, SIZE, SIZE)
        assert distance(pair.still, truth) > 3  # the source is not the truth
        assert distance(pair.coarse, truth) < 0.6 * distance(pair.still, truth)
        assert np.abs(pair.attributes[0] - pair.attributes[1]).max() > 0.1
    (again, _) = generator(face, [face, face], np.random.default_rng(0))
    assert np.array_equal(again.still, pairs[0].still) and np.array_equal(again.coarse, pairs[0].coarse)


def test_beside_the_person_a_moved_picture_keeps_its_background(face, motions):
    mover = PictureMover(face)
    moved = mover.move(motions, np.random.default_rng(0))
    far = mover._prepared.person  # over the region, which is wider than the picture
    corner = (slice(0, 60), slice(0, 40))
    assert far.max() > 0.9
    assert np.array_equal(moved.pixels[corner], face.pixels[corner])
    assert not np.array_equal(moved.pixels[100:160, 90:170], face.pixels[100:160, 90:170])
    with FaceTracker(is_video=False) as tracker:
        np.testing.assert_array_equal(tracker.track(moved.pixels)[0].landmarks, moved.landmarks)


def test_a_motion_that_fails_is_drawn_again(face, motions, monkeypatch):
    results = iter([None, None, face])
    monkeypatch.setattr(stills, "_track", lambda pixels, wanted: next(results))
    assert PictureMover(face).move(motions, np.random.default_rng(0)) is face
    assert next(results, None) is None
    shifted = face.landmarks + np.float32(40)
    monkeypatch.undo()
    assert stills._track(face.pixels, face.landmarks) is not None
    assert stills._track(face.pixels, shifted) is None
    assert stills._track(np.zeros_like(face.pixels), face.landmarks) is None


def test_two_pictures_of_a_person_are_a_pair_as_they_are(face, generator):
    other = Face(np.ascontiguousarray(face.pixels[:, ::-1]), face.landmarks + np.float32(3))
    (pair,) = generator(face, [other], np.random.default_rng(0))
    source, driving = resize_face(face, SIZE), resize_face(other, SIZE)
    (plain,) = generator.make(source, [driving], np.random.default_rng(0))
    assert np.array_equal(pair.still, source.pixels)
    assert np.array_equal(pair.coarse, plain.coarse) and np.array_equal(pair.attributes, plain.attributes)


def test_motions_are_two_frames_of_one_clip(clips, motions):
    assert [len(faces) for faces in motions.faces] == [4, 4, 4]
    rng = np.random.default_rng(0)
    for _ in range(20):
        motion = motions.draw(rng)
        (clip,) = [i for i in range(3) if torch.equal(motions.identities[i], motion.identity)]
        rows = [(motions.faces[clip].expression == face).all(1) for face in motion.attributes.expression]
        assert len(rows) == 2 and all(row.any() for row in rows) and not (rows[0] & rows[1]).any()
    with pytest.raises(InputError, match="stills are moved as faces in videos move; give shards of videos"):
        read_clip_motions([])


def test_the_motions_are_in_the_name_of_the_pairs(clips, generator):
    assert generator.name == replace(generator, motions=read_clip_motions(clips)).name
    assert generator.name != replace(generator, motions=read_clip_motions(clips[:2])).name
    assert generator.name != generator.make.name
    assert not give_identity(replace(clips[0], info={}), "one").is_video and clips[0].is_video
