import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fadm.animation.animator import Animator
from fadm.data.clips import StoredFaces, clip_options, open_pictures, read_face
from fadm.data.pairs.fingerprint import describe_code, hash_code, take_fingerprint
from fadm.data.pairs.generators import make_pair_generator
from fadm.errors import WeightsError
from tests.data.made_up_clips import SIDE, write_clips
from tests.tiny_networks import make_deca, save_network, tiny_networks


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    (clip,) = write_clips(tmp_path_factory.mktemp("clips"), clips=1, frames=4)
    return [read_face(clip, frame, SIDE) for frame in range(4)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    with tiny_networks(folder):
        yield folder


def make(generator, faces, seed=0):
    return list(generator(faces[0], faces[1:], np.random.default_rng(seed)))


def distance(first, second):
    return np.abs(first.astype(float) - second).mean()


def test_geometric_frames_come_near_the_driving_ones(faces):
    pairs = make(make_pair_generator("geometric", 0.0), faces)
    assert len(pairs) == 3 and all(pair.coarse.shape == (SIDE, SIDE, 3) for pair in pairs)
    moved = [distance(pair.coarse, face.pixels) for pair, face in zip(pairs, faces[1:], strict=True)]
    still = [distance(faces[0].pixels, face.pixels) for face in faces[1:]]
    assert all(m < 0.8 * s for m, s in zip(moved, still, strict=True))
    assert all(np.array_equal(pair.attributes[0], pairs[0].attributes[0]) for pair in pairs)
    differences = [np.abs(pair.attributes[1] - pair.attributes[0]).max() for pair in pairs]
    assert min(differences) > 0.1


def test_only_augmented_frames_are_a_little_wrong(faces):
    exact, jittered = (make_pair_generator("geometric", share) for share in (0.0, 1.0))
    exact, wrong = make(exact, faces), make(jittered, faces)
    again, other = make(jittered, faces), make(jittered, faces, seed=1)
    for i in range(3):
        assert np.array_equal(wrong[i].coarse, again[i].coarse)  # a function of the draws
        assert not np.array_equal(wrong[i].coarse, other[i].coarse)
        assert np.array_equal(wrong[i].attributes, exact[i].attributes)  # what is stored stays right
        assert 0 < distance(wrong[i].coarse, exact[i].coarse) < distance(faces[0].pixels, faces[i + 1].pixels)


@pytest.mark.parametrize("name", ["fomm", "face_vid2vid"])
def test_networks_make_frames_too(home, faces, name):
    (pair,) = make(make_pair_generator(name, 0.5), faces[:2])
    assert pair.coarse.shape == (SIDE, SIDE, 3) and pair.coarse.dtype == np.uint8
    assert pair.attributes.shape == (2, 56) and torch.is_inference_mode_enabled() is False


def test_decas_attributes_take_the_place_of_the_landmarks_ones(home, faces):
    plain, pairs = (
        make(make_pair_generator("geometric", 0.0, attributes), faces[:2]) for attributes in ("landmarks", "deca")
    )
    assert np.array_equal(plain[0].coarse, pairs[0].coarse)
    assert pairs[0].attributes.shape == (2, 56)
    assert not np.array_equal(plain[0].attributes[1], pairs[0].attributes[1])


def test_layers_are_made_where_they_are_asked_for(faces):
    (plain,) = make(make_pair_generator("geometric", 0.0), faces[:2])
    assert plain.person is None and plain.confidence is None
    (pair,) = make(make_pair_generator("geometric", 0.0, layers=("person", "confidence")), faces[:2])
    assert np.array_equal(plain.coarse, pair.coarse)
    assert pair.person.shape == (2, SIDE, SIDE) and pair.confidence.shape == (SIDE, SIDE)
    assert pair.person.dtype == pair.confidence.dtype == np.uint8 and pair.confidence.max() == 255


def test_pairs_hold_what_animation_gives_the_renderer(faces):
    """Coarse frames, masks, confidence and attributes are those that a renderer is given by `animate`."""
    source, driving = faces[:2]
    (pair,) = make(make_pair_generator("geometric", 0.0, layers=("person", "confidence")), [source, driving])
    known, given = StoredFaces(), []
    for face in (source, driving):
        known.add(face.pixels, face.landmarks)

    def keep(renderer, options, conditions, views, first_frame):
        given.append((conditions, views[0].confidence))
        return [view.picture for view in views]

    options = clip_options(SIDE, placement="clip", renderer="fadm_small", parts="none")
    animator = Animator(device="cpu", make_tracker=known.make_tracker)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fadm.animation.refiner.render_views", keep)
        driver = open_pictures("driver", [lambda: driving.pixels], (SIDE, SIDE))
        prepared = animator.prepare(source.pixels, options)
        anchored = animator.read_driver(prepared, driver, options).anchored
        (written,) = animator.render(prepared, anchored, options, driver)
    ((conditions, confidence),) = given
    assert np.array_equal(pair.coarse, written)
    attributes = torch.cat([conditions.attributes_source, conditions.attributes_driving])
    np.testing.assert_allclose(pair.attributes, attributes, atol=1e-4)  # another number of threads
    person = F.interpolate(conditions.person, (SIDE, SIDE), mode="area")[0]  # animation conditions on 256 pixels
    assert np.abs(pair.person / 255 - person.numpy()).mean() < 0.01
    assert np.array_equal(pair.confidence, (255 * confidence[0, 0]).round().byte())


def test_weights_that_animate_nothing_are_refused(home, monkeypatch, tmp_path):
    with pytest.raises(WeightsError, match=r"weights are of kind deca, fomm or face_vid2vid is needed"):
        make_pair_generator("deca", 0)
    with pytest.raises(WeightsError, match="nowhere"):
        make_pair_generator("nowhere", 0)
    monkeypatch.setenv("FADM_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="deca"):
        make_pair_generator("geometric", 0, "deca")


def test_the_fingerprint_is_of_everything_that_makes_pairs(home, monkeypatch):
    before = make_pair_generator("geometric", 0.0, "deca").fingerprint
    assert before == make_pair_generator("geometric", 0.5, "deca").fingerprint != take_fingerprint()
    torch.manual_seed(1)
    other = make_deca()
    with torch.no_grad():
        next(other.parameters()).add_(1)
    with monkeypatch.context() as patch:
        patch.setenv("FADM_HOME", str(home / "other"))
        save_network(home / "other", "deca", other, {"kind": "deca"})
        assert make_pair_generator("geometric", 0.0, "deca").fingerprint != before
        patch.setattr("fadm.data.pairs.fingerprint.hash_code", lambda: "another version")
        assert take_fingerprint() != before


def test_the_fingerprint_of_code_ignores_what_does_nothing():
    first = describe_code('"""Text."""\nA = 1  # comment\n\n\ndef f(x):\n    """More."""\n    return x\n')
    assert first == describe_code("A = 1\ndef f(x): return x")
    assert first != describe_code("A = 2\ndef f(x): return x")
    assert hash_code() == hash_code()
