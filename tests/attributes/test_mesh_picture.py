import math

import pytest
import torch

from fadm.attributes.mesh_picture import ALBEDO, draw_mesh, draw_relief, spherical_harmonics, vertex_normals

SQUARE = torch.tensor([[-0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.5, -0.5, 0.0], [-0.5, -0.5, 0.0]])
TRIANGLES = torch.tensor([[0, 2, 1], [0, 3, 2]])


def test_normals_of_a_flat_square_face_the_viewer():
    torch.testing.assert_close(vertex_normals(SQUARE, TRIANGLES), torch.tensor([[0.0, 0, 1]]).expand(4, 3))


def test_basis_functions_are_orthogonal():
    generator = torch.Generator().manual_seed(0)
    normals = torch.nn.functional.normalize(torch.randn(200_000, 3, generator=generator, dtype=torch.float64), dim=1)
    basis = spherical_harmonics(normals)
    gram = basis.T @ basis * (4 * math.pi / len(basis))
    linear, quadratic = (2 * math.pi / 3) ** 2, (math.pi / 4) ** 2
    expected = torch.tensor([1.0] + [linear] * 3 + [quadratic] * 5, dtype=torch.float64).diag()
    torch.testing.assert_close(gram, expected, atol=0.05, rtol=0)


def test_square_is_drawn_in_the_middle_with_even_light():
    light = torch.zeros(9, 3)
    light[0] = torch.tensor([1.0, 0.5, 0.25]) * 2 * math.sqrt(math.pi)
    drawn = draw_mesh(torch.full((3, 8, 8), 0.1), SQUARE, SQUARE * torch.tensor([1, -1, -1]), TRIANGLES, light)
    inside = torch.zeros(8, 8, dtype=torch.bool)
    inside[2:6, 2:6] = True
    expected = ALBEDO * torch.tensor([1.0, 0.5, 0.25])
    torch.testing.assert_close(drawn[:, inside], expected[:, None].expand(3, 16))
    assert drawn[:, ~inside].eq(0.1).all()


def test_light_from_the_front_is_brighter_on_what_faces_it():
    light = torch.zeros(9, 3)
    light[0], light[3] = 1.0, 0.5
    front, side = torch.tensor([0.0, 0, 1]), torch.tensor([1.0, 0, 0])
    assert (spherical_harmonics(front) @ light > spherical_harmonics(side) @ light).all()


def test_light_needs_nine_coefficients():
    with pytest.raises(RuntimeError, match=r"mat1 and mat2|size"):
        draw_mesh(torch.zeros(3, 8, 8), SQUARE, SQUARE, TRIANGLES, torch.zeros(4, 3))


def test_relief_is_bright_where_it_faces_the_lamp():
    ramp = 0.001 * torch.arange(8.0).expand(8, 8)
    flat, to_the_left, to_the_right = (draw_relief(slope * ramp)[:, 4, 4] for slope in (0, 1, -1))
    assert (to_the_left > flat).all() and (flat > to_the_right).all()
    assert (draw_relief(ramp.T)[:, 4, 4] > draw_relief(-ramp.T)[:, 4, 4]).all()  # the upper side is lit


def test_a_relief_is_drawn_of_one_map():
    with pytest.raises((RuntimeError, ValueError), match=r"size|shape|unpack"):
        draw_relief(torch.zeros(2, 8, 8))
