import torch
import torch.nn.functional as F

from fadm.face.matting import refine_matte

SIDE = 256


def draw_disc() -> torch.Tensor:
    """Share (1, 1, 256, 256) of each pixel that a disc covers."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    return (80.5 - torch.hypot(x - 120.0, y - 130.0)).clamp(0, 1)[None, None]


def test_a_coarse_mask_is_brought_to_the_edge_of_the_colours():
    disc = draw_disc()
    red, grey = (torch.tensor(colour)[None, :, None, None] for colour in ([0.7, 0.3, 0.2], [0.4, 0.45, 0.5]))
    picture = disc * red + (1 - disc) * grey
    coarse = F.interpolate(disc, (64, 64), mode="area")
    enlarged = F.interpolate(coarse, (SIDE, SIDE), mode="bilinear", align_corners=False)
    matte = refine_matte(picture, coarse)
    assert matte.shape == disc.shape
    assert (matte - disc).abs().mean() < 0.4 * (enlarged - disc).abs().mean()
    assert (matte - disc).abs().max() < 0.35


def test_an_even_picture_keeps_its_mask():
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 32:] = 1
    matte = refine_matte(torch.full((1, 3, SIDE, SIDE), 0.5), mask)
    torch.testing.assert_close(matte[..., :90], torch.zeros(1, 1, SIDE, 90), atol=1e-3, rtol=0)
    torch.testing.assert_close(matte[..., -90:], torch.ones(1, 1, SIDE, 90), atol=1e-3, rtol=0)


def test_doubtful_places_of_a_mask_are_decided():
    mask = torch.full((1, 1, 64, 64), 0.1)
    assert not refine_matte(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)), mask).any()
