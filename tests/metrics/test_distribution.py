import math

import numpy as np
import pytest
import scipy.linalg
import torch

from fadm.errors import MetricError
from fadm.metrics.distribution import frechet_distance, gaussian_distance, kernel_distance


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_gaussians_along_the_axes():
    """For diagonal covariances: the distance of the means and of the standard deviations, squared and summed."""
    mean, deviation_a, deviation_b = torch.tensor([3.0, 4.0]), torch.tensor([1.0, 5.0]), torch.tensor([2.0, 3.0])
    distance = gaussian_distance(mean, deviation_a.square().diag(), torch.zeros(2), deviation_b.square().diag())
    assert distance == pytest.approx(25 + 1 + 4)


def test_frechet_agrees_with_scipy():
    a, b = draw(50, 6) @ draw(6, 6, seed=1), draw(40, 6, seed=2) + 0.5
    covariance_a, covariance_b = np.cov(a.numpy().T), np.cov(b.numpy().T)
    root = scipy.linalg.sqrtm(covariance_a @ covariance_b).real
    expected = (a.mean(0) - b.mean(0)).square().sum().item() + np.trace(covariance_a + covariance_b - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected)


def test_frechet_of_fewer_samples_than_numbers():
    """Singular covariances; a shifted set is as far away as the shift."""
    a = draw(5, 20)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, a + 2) == pytest.approx(80, abs=1e-5)


def test_kernel_distance_is_the_mean_over_pairs():
    a, b = draw(4, 3), draw(5, 3, seed=1)

    def kernel(x, y):
        return (x.dot(y).item() / 3 + 1) ** 3

    within = [np.mean([kernel(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j]) for x in (a, b)]
    across = np.mean([kernel(x, y) for x in a for y in b])
    assert kernel_distance(a, b) == pytest.approx(sum(within) - 2 * across)


def test_kernel_distance_has_no_bias():
    values = [kernel_distance(draw(10, 4, seed=2 * n), draw(10, 4, seed=2 * n + 1)) for n in range(300)]
    assert abs(np.mean(values)) < 3 * np.std(values) / math.sqrt(300)


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_a_single_picture_is_no_set(distance):
    with pytest.raises(MetricError, match="needs at least 2 pictures in each, 1 given"):
        distance(torch.rand(1, 4), torch.rand(3, 4))
