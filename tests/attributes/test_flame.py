import pytest
import torch

from fadm.attributes.flame import (
    FLAME,
    FLAMEConfig,
    FLAMELandmarks,
    FLAMELandmarksConfig,
    contour_row,
    points_on_triangles,
    project,
    skin,
    yaw_degrees,
)
from tests.reference import load_case, normal, relative_error


@pytest.fixture(scope="module")
def case():
    return load_case("flame_made_up")


@pytest.fixture(scope="module")
def flame(case):
    names = {
        "template": "v_template",
        "triangles": "f",
        "directions": "shapedirs",
        "pose_directions": "posedirs",
        "kinematic_tree": "kintree_table",
        "joint_regressor": "J_regressor",
        "skinning_weights": "weights",
    }
    model = FLAME(FLAMEConfig(num_vertices=60, num_triangles=90, num_shape=100, num_expression=50))
    model.load_state_dict({ours: case.expected[f"model_{released}"] for ours, released in names.items()})
    return model


@pytest.fixture(scope="module")
def landmarks(case):
    names = {"contour": "dynamic", "static": "static", "full": "full"}
    parts = {"triangles": "faces_idx", "barycentric": "bary_coords"}
    model = FLAMELandmarks(FLAMELandmarksConfig())
    model.load_state_dict(
        {
            f"{ours}_{part}": case.expected[f"embedding_{released}_lmk_{released_part}"]
            for ours, released in names.items()
            for part, released_part in parts.items()
        }
    )
    return model


def pose_of_case():
    return 0.4 * normal("flame_made_up/pose", (3, 6))


def vertices_of_case(flame):
    shape, expression = normal("flame_made_up/shape", (3, 100)), normal("flame_made_up/exp", (3, 50))
    return flame(shape, expression, pose_of_case())


def test_mesh_agrees_with_the_released_one(case, flame):
    assert relative_error(vertices_of_case(flame), case.expected["vertices"]) < 1e-3


def test_landmarks_agree_with_the_released_ones(case, flame, landmarks):
    vertices = vertices_of_case(flame)
    visible = landmarks.locate_visible(vertices, flame.triangles, pose_of_case())
    assert relative_error(visible, case.expected["landmarks2d"]) < 1e-3
    fixed = landmarks.locate_fixed(vertices, flame.triangles)
    assert relative_error(fixed, case.expected["landmarks3d"]) < 1e-3


def test_head_at_rest_is_the_template(flame):
    torch.testing.assert_close(flame(*torch.zeros(1, 0).expand(2, 1, 0), torch.zeros(1, 6))[0], flame.template)


def test_one_joint_turns_its_vertices_about_itself():
    vertices = torch.tensor([[[2.0, 0, 0], [1.0, 1, 0]]])
    joints = torch.tensor([[[0.0, 0, 0], [1.0, 0, 0]]])
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    rotations = torch.stack([torch.eye(3), quarter])[None]
    moved = skin(vertices, joints, rotations, torch.tensor([[0.0, 1], [1.0, 0]]), parents=[-1, 0])
    torch.testing.assert_close(moved, torch.tensor([[[1.0, 1, 0], [1.0, 1, 0]]]))


def test_yaw_chooses_the_contour_row():
    degrees = torch.tensor([0.0, 12.2, -12.2, 80.0, -80.0])
    pose = torch.zeros(5, 6)
    pose[:, 1] = torch.deg2rad(degrees)
    yaw = yaw_degrees(pose)
    assert yaw.tolist() == [0, 12, -12, 80, -80]
    assert contour_row(yaw, 39).tolist() == [0, 12, 51, 39, 78]


def test_middle_of_a_triangle():
    vertices = torch.tensor([[[0.0, 0, 0], [3.0, 0, 0], [0, 3.0, 3.0]]])
    middle = points_on_triangles(vertices, torch.tensor([[0, 1, 2]]), torch.full((1, 3), 1 / 3))
    torch.testing.assert_close(middle, torch.ones(1, 1, 3))


def test_projection_shifts_then_scales_and_turns_y_down():
    points = torch.tensor([[[1.0, 2.0, 3.0]]])
    assert project(points, torch.tensor([[2.0, 0.5, -1.0]])).tolist() == [[[3.0, -2.0, -6.0]]]


def test_more_coefficients_than_the_basis_has(flame):
    with pytest.raises(RuntimeError, match=r"subscript|dimension"):
        flame(torch.zeros(1, 101), torch.zeros(1, 50), torch.zeros(1, 6))
