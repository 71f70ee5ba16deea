import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from fadm.errors import PackageError
from fadm.metrics.landmarks import average_keypoint_distance
from fadm.networks.fan import FAN, FAN_FILE
from tests.face.portraits import read_portrait


class FaceAlignment:
    """Puts all 68 landmarks into the corner of the box that it is given."""

    def __init__(self, points, *, device, flip_input, face_detector, compile):
        assert points == 1 and not flip_input

    def get_landmarks_from_image(self, pixels, detected_faces):
        return [np.tile(detected_faces[0][:2], (68, 1))]


class OldFaceAlignment:
    def __init__(self, points, *, device, flip_input, face_detector):
        pass


@pytest.fixture
def package(monkeypatch, tmp_path):
    module = ModuleType("face_alignment")
    module.FaceAlignment, module.LandmarksType = FaceAlignment, SimpleNamespace(TWO_D=1)
    monkeypatch.setitem(sys.modules, "face_alignment", module)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return module, tmp_path / "checkpoints" / FAN_FILE


def test_the_face_is_where_our_landmarks_are(package):
    package[1].write_bytes(b"weights")
    portrait, fan = read_portrait(), FAN()
    found = fan.find(portrait.pixels, portrait.landmarks)
    assert found.shape == (68, 2) and found.dtype == np.float32
    np.testing.assert_allclose(found[0], portrait.landmarks[:468, :2].min(axis=0), rtol=1e-6)
    moved = fan.find(portrait.pixels, portrait.landmarks + np.array([2, 0, 0], np.float32))
    distance = average_keypoint_distance(torch.from_numpy(moved)[None], torch.from_numpy(found)[None], side=128)
    assert distance.item() == pytest.approx(2)  # 2 of 128 px in one of two axes
    assert np.isnan(fan.find(portrait.pixels, np.full((478, 3), np.nan, np.float32))).all()


def test_what_is_missing_is_named(package, monkeypatch):
    with pytest.raises(PackageError, match=r"akd_fan68 needs the pretrained network 2DFAN4-.* save it as"):
        FAN()
    package[1].write_bytes(b"weights")
    package[0].FaceAlignment = OldFaceAlignment
    with pytest.raises(PackageError, match=r"face-alignment 1.5 or later"):
        FAN()
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(PackageError, match="akd_fan68 needs the package face-alignment"):
        FAN()
