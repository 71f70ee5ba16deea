import sys

import matplotlib
import pytest
import torch

from fadm.errors import PackageError
from fadm.face.selection import track_pictures
from fadm.face.topology import FACE_OVAL
from fadm.media.crop import copy_square, square_around
from fadm.media.image import read_image
from fadm.metrics.identity import aed_l2, csim
from fadm.networks import dlib_embedder
from fadm.networks.dlib_embedder import DlibEmbedder
from fadm.networks.face_embedder import embed_pictures
from tests.face.portraits import picture_tracker, read_portrait, track_picture


def read_other_person():
    pixels = read_image(f"{matplotlib.get_data_path()}/sample_data/grace_hopper.jpg")
    return copy_square(pixels, square_around(track_picture(pixels)[0][list(FACE_OVAL)], 2.0), 256)


@pytest.fixture(scope="module")
def embeddings():
    """Of a portrait as it is, 2 px to the right, mirrored and darker; of another person; of no face."""
    portrait, other = (
        torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
        for pixels in (read_portrait().pixels, read_other_person())
    )
    pictures = [portrait, portrait.roll(2, 2), portrait.flip(2), 0.7 * portrait, other, torch.zeros_like(portrait)]
    return embed_pictures(pictures, track_pictures(pictures, picture_tracker()), DlibEmbedder())


def test_the_same_person_is_nearer_than_another(embeddings):
    similarity = csim(embeddings[1:5], embeddings[:1])
    assert (similarity[:3] > 0.95).all() and similarity[3] < 0.92
    distance = aed_l2(embeddings[1:5], embeddings[:1])
    assert (distance[:3] < 0.4).all() and distance[3] > 0.6  # dlib's own threshold for two people


def test_no_face_is_not_measured(embeddings):
    assert embeddings.shape == (6, 128)
    assert csim(embeddings, embeddings[:1]).isnan().tolist() == [False] * 5 + [True]


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(dlib_embedder, "find_spec", lambda name: None)
    with pytest.raises(PackageError, match="needs the package face-recognition-models"):
        DlibEmbedder()
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(PackageError, match="csim_dlib needs the package dlib-bin"):
        DlibEmbedder()
