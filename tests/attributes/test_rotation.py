import pytest
import torch
from scipy.spatial.transform import Rotation

from fadm.attributes.rotation import axis_angle_to_matrix, cross_matrix, fit_similarity, matrix_to_axis_angle

DIRECTIONS = torch.nn.functional.normalize(
    torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64), dim=1
)
ANGLES = torch.tensor([0.0, 1e-6, 0.3, 1.5, 3.0], dtype=torch.float64)
AXIS_ANGLES = ANGLES[:, None, None] * DIRECTIONS  # (5, 5, 3)


def make_points(*, batch: int = 4, count: int = 7) -> torch.Tensor:
    return torch.randn(batch, count, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_matrices_are_scipys():
    matrices = axis_angle_to_matrix(AXIS_ANGLES)
    assert matrices.shape == (5, 5, 3, 3)
    expected = Rotation.from_rotvec(AXIS_ANGLES.reshape(-1, 3).numpy()).as_matrix()
    torch.testing.assert_close(matrices.flatten(0, 1), torch.from_numpy(expected))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-7), (torch.float32, 2e-5)])
def test_axis_angles_come_back(dtype, tolerance):
    there = axis_angle_to_matrix(AXIS_ANGLES.to(dtype))
    torch.testing.assert_close(matrix_to_axis_angle(there), AXIS_ANGLES.to(dtype), atol=tolerance, rtol=0)


def test_cross_matrix_is_the_cross_product():
    a, b = make_points()[:, 0], make_points()[:, 1]
    torch.testing.assert_close((cross_matrix(a) @ b[..., None])[..., 0], torch.linalg.cross(a, b))


def test_a_known_similarity_is_found():
    points, scale = make_points(), torch.tensor([0.1, 1.0, 2.5, 90.0], dtype=torch.float64)
    rotation, translation = axis_angle_to_matrix(AXIS_ANGLES[3, :4]), 50 * make_points(count=1)[:, 0]
    target = scale[:, None, None] * points @ rotation.transpose(1, 2) + translation[:, None]
    for found, expected in zip(fit_similarity(points, target), (scale, rotation, translation), strict=True):
        torch.testing.assert_close(found, expected)


def test_a_mirrored_target_never_gives_a_reflection():
    points = make_points()
    _, rotation, _ = fit_similarity(points, points * torch.tensor([-1, 1, 1]))
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(4, dtype=torch.float64))


def test_a_fit_leaves_no_better_similarity():
    points = make_points()
    target = points + 0.3 * make_points().flip(1)
    scale, rotation, translation = fit_similarity(points, target)

    def error(scale, rotation, translation):
        moved = scale[:, None, None] * points @ rotation.transpose(1, 2) + translation[:, None]
        return (moved - target).square().sum((1, 2))

    best = error(scale, rotation, translation)
    assert (error(1.01 * scale, rotation, translation) > best).all()
    assert (error(scale, rotation, translation + 0.01) > best).all()
    for axis in 0.01 * torch.eye(3, dtype=torch.float64):
        assert (error(scale, rotation @ axis_angle_to_matrix(axis), translation) > best).all()


def test_points_and_target_are_pairs():
    with pytest.raises(RuntimeError, match="size"):
        fit_similarity(make_points(count=7), make_points(count=6))
