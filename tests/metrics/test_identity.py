import pytest
import torch

from fadm.metrics.identity import aed_l2, aed_squared, csim


def test_distances_of_known_vectors():
    a, b = torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[6.0, 8.0], [0.0, 2.0]])
    assert csim(a, b).tolist() == pytest.approx([1, 0])
    assert aed_l2(a, b).tolist() == pytest.approx([5, 5**0.5])
    assert aed_squared(a, b).tolist() == pytest.approx([25, 5])
