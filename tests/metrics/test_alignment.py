import pytest
import torch

from fadm.metrics.alignment import fit_similarity, warp_by_similarity


def test_a_similarity_is_found_again():
    points = torch.rand(2, 5, 2, generator=torch.Generator().manual_seed(0)) * 100
    matrix = 1.5 * torch.tensor([[0.6, -0.8], [0.8, 0.6]]).expand(2, 2, 2)
    shift = torch.tensor([[3.0, -4.0], [0.0, 10.0]])
    target = torch.einsum("bij,bnj->bni", matrix, points) + shift[:, None]
    found = fit_similarity(points, target)
    torch.testing.assert_close(found[0], matrix, atol=1e-4, rtol=0)
    torch.testing.assert_close(found[1], shift, atol=1e-2, rtol=0)


@pytest.mark.parametrize(("outside", "edge"), [("border", 1.0), ("zeros", 0.0)])
def test_pixels_come_from_where_they_are_sent(outside, edge):
    picture = torch.arange(1, 13).float().reshape(1, 1, 3, 4)
    moved = warp_by_similarity(picture, torch.eye(2)[None], torch.tensor([[1.0, 0.0]]), (3, 4), outside=outside)
    torch.testing.assert_close(moved[..., :3], picture[..., 1:])
    back = warp_by_similarity(picture, torch.eye(2)[None], torch.tensor([[-1.0, 0.0]]), (2, 2), outside=outside)
    assert back[0, 0, 0].tolist() == pytest.approx([edge, 1.0])
