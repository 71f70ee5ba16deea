import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from fadm.errors import PackageError, WeightsError
from fadm.face.topology import EYES, MOUTH_CORNERS
from fadm.networks.arcface import NOSE_TIP, TEMPLATE, ArcFaceEmbedder, align_face
from tests.face.portraits import read_portrait


class Session:
    """Answers with the means of the colours, in place of a network."""

    def __init__(self, path, providers):
        if not path.endswith(".onnx"):
            raise RuntimeError("Protobuf parsing failed.\nmore")

    def get_inputs(self):
        return [SimpleNamespace(name="input.1")]

    def run(self, names, feeds):
        assert feeds["input.1"].shape == (1, 3, 112, 112) and feeds["input.1"].dtype == np.float32
        return [feeds["input.1"].mean(axis=(2, 3))]


@pytest.fixture
def runtime(monkeypatch):
    module = ModuleType("onnxruntime")
    module.InferenceSession = Session
    monkeypatch.setitem(sys.modules, "onnxruntime", module)


def test_a_face_is_brought_to_the_template():
    pixels = np.zeros((300, 400, 3), np.uint8)
    landmarks = np.full((478, 3), 200.0, np.float32)
    # The template's points, turned, twice as large and moved, as bright dots of their own colours.
    turn = 2 * np.array([[0.8, -0.6], [0.6, 0.8]])
    places = np.array(TEMPLATE) @ turn.T + [160, 40]
    indices = [[*upper, *lower] for upper, lower, _ in EYES] + [[NOSE_TIP], *([corner] for corner in MOUTH_CORNERS)]
    for place, index in zip(places, indices, strict=True):
        landmarks[index, :2] = place
        x, y = np.rint(place).astype(int)
        pixels[y - 3 : y + 4, x - 3 : x + 4] = 255
    face = align_face(pixels, landmarks)
    assert face.shape == (1, 3, 112, 112)
    for x, y in np.rint(TEMPLATE).astype(int):
        assert face[0, 0, y, x] > 0.9
    assert (face[0, 0] > 0.5).sum() < 5 * 20


def test_outside_the_frame_it_is_black():
    portrait = read_portrait()
    landmarks = portrait.landmarks - np.array([portrait.landmarks[:468, 0].min(), 0, 0], np.float32)
    face = align_face(portrait.pixels, landmarks)
    assert face[0, :, 50, 0].max() == 0 and face[0, :, 50, 100].max() > 0


def test_the_network_sees_minus_one_to_one(runtime, tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"network")
    embedder = ArcFaceEmbedder(tmp_path / "net.onnx")
    assert embedder.name == "arcface" and embedder.size == 3 and len(embedder.digest) == 64
    landmarks = read_portrait().landmarks
    white = embedder.embed(np.full((256, 256, 3), 255, np.uint8), landmarks)
    assert white.shape == (3,) and white == pytest.approx([1, 1, 1], abs=0.01)


def test_what_is_missing_or_wrong_is_named(runtime, tmp_path, monkeypatch):
    with pytest.raises(WeightsError, match=r"there is no file '.*net.onnx'"):
        ArcFaceEmbedder(tmp_path / "net.onnx")
    for name in ("net.txt", "net.onnx"):
        (tmp_path / name).write_bytes(b"network")
    with pytest.raises(WeightsError, match=r"net.txt' is no ArcFace network in ONNX .*\(Protobuf parsing failed.\)"):
        ArcFaceEmbedder(tmp_path / "net.txt")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PackageError, match="csim_arcface needs the package onnxruntime"):
        ArcFaceEmbedder(tmp_path / "net.onnx")
