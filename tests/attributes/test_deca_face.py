import numpy as np
import pytest
import torch

from fadm.attributes.deca_face import load_head_networks, read_deca_face
from fadm.attributes.flame import project
from fadm.errors import WeightsError
from fadm.face import topology
from fadm.media.crop import Square
from tests.attributes.stand_in_head import CAMERA, imported_heads
from tests.tiny_networks import make_renderer, save_network

WINDOW = Square(30, -20, 200)
CPU = torch.device("cpu")


def read_stand_in(home, **parts):
    with imported_heads(home, **parts):
        networks = load_head_networks(CPU)
        assert networks is not None
        return networks, read_deca_face(networks, torch.rand(1, 3, 64, 64), WINDOW)


def test_mesh_follows_expression_and_camera(tmp_path):
    networks, face = read_stand_in(tmp_path)
    assert face.mesh is not None and networks.flame is not None
    still = networks.flame(face.code.shape, torch.zeros(1, 50), face.code.pose)[0]
    moved = (face.mesh.vertices - still).norm(dim=1)
    assert moved.nonzero()[:, 0].tolist() == sorted(topology.MOUTH_CORNERS)
    torch.testing.assert_close(face.mesh.projected, project(face.mesh.vertices[None], torch.tensor([CAMERA]))[0])


def test_landmarks_are_in_the_pictures_pixels(tmp_path):
    _, face = read_stand_in(tmp_path)
    assert face.mesh is not None and face.landmarks is not None
    nose = face.mesh.projected[topology.NOSE_TIP, :2]
    expected = torch.tensor([30.0, -20.0]) + 100 * (nose + 1) - 0.5
    torch.testing.assert_close(face.landmarks[17], expected)  # the first after the jaw line
    assert len(face.landmarks) == 68
    assert face.mesh.skin_landmarks is not None
    torch.testing.assert_close(face.mesh.skin_landmarks[17], face.mesh.vertices[topology.NOSE_TIP])


@pytest.mark.parametrize(("detail", "size"), [(True, (1, 256, 256)), (False, None)])
def test_wrinkles_need_the_detail_branch(tmp_path, detail, size):
    _, face = read_stand_in(tmp_path, detail=detail)
    assert (face.displacements if size is None else tuple(face.displacements.shape)) == size


def test_without_flame_there_are_parameters_alone(tmp_path):
    _, face = read_stand_in(tmp_path, has_mesh=False)
    assert face.mesh is None and face.landmarks is None
    np.testing.assert_allclose(face.code.camera[0].numpy(), CAMERA, rtol=1e-3)


def test_without_deca_there_is_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("FADM_HOME", str(tmp_path))
    assert load_head_networks(CPU) is None


def test_a_file_of_another_kind_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("FADM_HOME", str(tmp_path))
    save_network(tmp_path, "deca", make_renderer(), {"kind": "fadm"})
    with pytest.raises(WeightsError, match=r"are of kind fadm, deca is needed"):
        load_head_networks(CPU)
