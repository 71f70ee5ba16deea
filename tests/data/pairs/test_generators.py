from dataclasses import replace

import numpy as np
import pytest
import torch

from fadm.data.pairs.generators import DecaPairs, GeometricPairs, NetworkPairs, choose_maker
from fadm.data.clips import read_face
from fadm.errors import OptionError, WeightsError
from fadm.weights.registry import find_weights
from fadm.weights.store import read_metadata
from tests.data.made_up_clips import SIDE, MixingMaker, write_clips
from tests.tiny_networks import tiny_networks


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    (clip,) = write_clips(tmp_path_factory.mktemp("clips"), clips=1, frames=4)
    return [read_face(clip, frame, SIDE) for frame in range(4)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    with tiny_networks(folder):
        yield folder


def make(maker, faces, seed=0):
    return list(maker(faces[0], faces[1:], np.random.default_rng(seed)))


def distance(first, second):
    return np.abs(first.astype(float) - second).mean()


def test_geometric_frames_come_near_the_driving_ones(faces):
    pairs = make(GeometricPairs(0), faces)
    assert len(pairs) == 3 and all(pair.coarse.shape == (SIDE, SIDE, 3) for pair in pairs)
    moved = [distance(pair.coarse, face.pixels) for pair, face in zip(pairs, faces[1:], strict=True)]
    still = [distance(faces[0].pixels, face.pixels) for face in faces[1:]]
    assert all(m < 0.8 * s for m, s in zip(moved, still, strict=True))
    assert all(np.array_equal(pair.attributes_source, pairs[0].attributes_source) for pair in pairs)
    differences = [np.abs(pair.attributes_driving - pair.attributes_source).max() for pair in pairs]
    assert min(differences) > 0.1


def test_only_augmented_frames_are_a_little_wrong(faces):
    exact, wrong = make(GeometricPairs(0), faces), make(GeometricPairs(1), faces)
    again, other = make(GeometricPairs(1), faces), make(GeometricPairs(1), faces, seed=1)
    for i in range(3):
        assert np.array_equal(wrong[i].coarse, again[i].coarse)  # a function of the draws
        assert not np.array_equal(wrong[i].coarse, other[i].coarse)
        assert np.array_equal(wrong[i].attributes_driving, exact[i].attributes_driving)  # what is told stays right
        assert 0 < distance(wrong[i].coarse, exact[i].coarse) < distance(faces[0].pixels, faces[i + 1].pixels)


@pytest.mark.parametrize("name", ["fomm", "face_vid2vid"])
def test_networks_make_frames_too(home, faces, name):
    maker = choose_maker(name, 0.5)
    sha256 = read_metadata(find_weights(name))["sha256"]
    assert maker == NetworkPairs(name, sha256) and maker.name == f"network {sha256}"
    large = [replace(face, pixels=np.kron(face.pixels, np.ones((2, 2, 1), np.uint8))) for face in faces[:2]]
    (pair,) = make(maker, large)
    assert pair.coarse.shape == (2 * SIDE, 2 * SIDE, 3) and pair.coarse.dtype == np.uint8
    assert pair.attributes_driving.shape == (56,) and torch.is_inference_mode_enabled() is False


def test_decas_attributes_take_the_place_of_the_landmarks_ones(home, faces):
    maker = choose_maker("geometric", 0, "deca")
    sha256 = read_metadata(find_weights("deca"))["sha256"]
    assert maker == DecaPairs(GeometricPairs(0), sha256) and maker.name != DecaPairs(GeometricPairs(0), "other").name
    plain, pairs = (make(m, faces[:2]) for m in (MixingMaker(), DecaPairs(MixingMaker(), sha256)))
    assert np.array_equal(plain[0].coarse, pairs[0].coarse)
    assert pairs[0].attributes_source.shape == pairs[0].attributes_driving.shape == (56,)
    assert not np.array_equal(plain[0].attributes_driving, pairs[0].attributes_driving)


def test_weights_that_animate_nothing_are_refused(home, monkeypatch, tmp_path):
    with pytest.raises(OptionError, match=r"'deca': these weights animate nothing"):
        choose_maker("deca", 0)
    with pytest.raises(WeightsError, match="nowhere"):
        choose_maker("nowhere", 0)
    monkeypatch.setenv("FADM_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="deca"):
        choose_maker("geometric", 0, "deca")
