import numpy as np
import pytest
import torch

from fadm.coarse.geometric.mesh import FALLOFF_RINGS, HEAD_RINGS, SourceMesh, build_source_mesh
from fadm.face import topology
from fadm.media.crop import Square
from tests.face.portraits import SIDE, read_portrait

REGION = Square(0, 0, SIDE)
NUM_RINGS, PER_RING = len(HEAD_RINGS) + len(FALLOFF_RINGS), len(topology.FACE_OVAL)


def make_mesh() -> tuple[SourceMesh, torch.Tensor]:
    portrait = read_portrait()
    return build_source_mesh(portrait.landmarks, portrait.person, REGION), torch.from_numpy(portrait.landmarks)


def rings_of(vertices: torch.Tensor) -> torch.Tensor:
    """The ring vertices (rings, rays, 3), from the face outwards."""
    return vertices[topology.NUM_SURFACE :].unflatten(0, (NUM_RINGS, PER_RING))


def test_rings_lie_around_the_face():
    mesh, landmarks = make_mesh()
    assert mesh.vertices.shape == (topology.NUM_SURFACE + NUM_RINGS * PER_RING, 3)
    assert torch.equal(mesh.vertices[: topology.NUM_SURFACE], landmarks[: topology.NUM_SURFACE])
    assert set(mesh.triangles.flatten()) == set(range(len(mesh.vertices)))
    center = landmarks[list(topology.FACE_OVAL), :2].mean(0)
    distance = (rings_of(mesh.vertices)[..., :2] - center).norm(dim=-1)
    assert (distance.diff(dim=0) > 0).all()
    assert (distance[-1] >= SIDE / 2 - 1e-3).all()
    assert 0 < mesh.reach < SIDE / 2


def test_no_triangle_of_the_rings_is_turned_over():
    mesh, _ = make_mesh()
    a, b, c = mesh.vertices[mesh.triangles[topology.surface_triangles().shape[0] :], :2].unbind(1)
    area = torch.linalg.det(torch.stack([b - a, c - a], 1))
    assert (area.sign() == area.sign()[0]).all()


def test_at_rest_nothing_moves():
    mesh, landmarks = make_mesh()
    torch.testing.assert_close(mesh.move(landmarks, landmarks)[:, :2], mesh.vertices[:, :2], atol=1e-3, rtol=0)


@pytest.mark.parametrize("shift", [(12.0, 0.0), (-5.0, 9.0)])
def test_the_head_takes_its_outline_along_and_the_border_stays(shift):
    mesh, landmarks = make_mesh()
    step = torch.tensor([*shift, 0.0])
    moved = mesh.move(landmarks + step, landmarks + step)
    went = rings_of(moved - mesh.vertices)[..., :2]
    torch.testing.assert_close(went[:2], step[:2].expand(2, PER_RING, 2), atol=1e-3, rtol=0)  # head rings
    torch.testing.assert_close(went[-1], torch.zeros(PER_RING, 2), atol=1e-3, rtol=0)
    along = (went @ step[:2]) / step.square().sum()
    assert (along.diff(dim=0) < 1e-4).all()  # less and less outwards


def test_an_expression_fades_outside_of_the_face():
    mesh, landmarks = make_mesh()
    changed = landmarks.clone()
    changed[list(topology.FACE_OVAL), 1] += 4
    went = rings_of(mesh.move(changed, landmarks) - mesh.vertices)[..., 1]
    assert (went >= -1e-3).all() and (went <= 4).all()
    assert went[0].mean() > 1
    assert went[-1].abs().max() < 1e-3


def test_hair_is_part_of_the_head_and_the_wall_is_not():
    portrait = read_portrait()
    nobody = np.zeros_like(portrait.person)
    bald = build_source_mesh(portrait.landmarks, nobody, REGION)
    mesh, _ = make_mesh()
    outline = len(HEAD_RINGS) - 1
    top = topology.FACE_OVAL.index(topology.FOREHEAD_TOP)
    with_hair, without = (rings_of(m.vertices)[outline, top, 1] for m in (mesh, bald))
    assert with_hair < without - 10


def test_landmarks_come_with_depth():
    portrait = read_portrait()
    with pytest.raises(IndexError, match="out of bounds"):
        build_source_mesh(portrait.landmarks[:, :2], portrait.person, REGION)
