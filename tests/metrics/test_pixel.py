import numpy as np
import pytest
import torch
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from fadm.errors import MetricError
from fadm.metrics.pixel import l1, psnr, ssim, ssim_legacy


@pytest.fixture(scope="module")
def pictures():
    """A portrait and three distortions of it, as batches (3, 3, 96, 80)."""
    portrait = torch.from_numpy(data.astronaut()[:96, 180:260]).permute(2, 0, 1)[None].float() / 255
    noise = torch.randn(portrait.shape, generator=torch.Generator().manual_seed(0))
    distorted = [portrait + 0.1 * noise, 0.5 * portrait + 0.2, portrait.roll(2, dims=3)]
    return portrait.expand(3, -1, -1, -1), torch.cat(distorted).clamp(0, 1)


def to_array(picture):
    return picture.permute(1, 2, 0).double().numpy()


def test_l1_of_a_constant_difference():
    a = torch.rand(2, 3, 8, 8) / 2
    torch.testing.assert_close(
        l1(a, a + torch.tensor([0.1, 0.3])[:, None, None, None]), torch.tensor([0.1, 0.3]).double()
    )


def test_psnr_agrees_with_scikit_image(pictures):
    expected = [peak_signal_noise_ratio(to_array(a), to_array(b), data_range=1) for a, b in zip(*pictures, strict=True)]
    np.testing.assert_allclose(psnr(*pictures), expected, rtol=1e-6)


def test_psnr_of_equal_pictures_is_infinite(pictures):
    assert psnr(pictures[0], pictures[0]).tolist() == [torch.inf] * 3


def test_ssim_agrees_with_scikit_image(pictures):
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1}
    expected = [
        structural_similarity(to_array(a), to_array(b), channel_axis=2, **options)
        for a, b in zip(*pictures, strict=True)
    ]
    np.testing.assert_allclose(ssim(*pictures), expected, rtol=1e-6)


def test_legacy_ssim_agrees_with_scikit_image(pictures):
    expected = [
        structural_similarity(to_array(a), to_array(b), channel_axis=2, data_range=2)
        for a, b in zip(*pictures, strict=True)
    ]
    np.testing.assert_allclose(ssim_legacy(*pictures), expected, rtol=1e-6)
    assert (ssim_legacy(*pictures) > ssim(*pictures)).all()


def test_a_mask_hides_what_is_outside():
    a, b, mask = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4), torch.zeros(2, 1, 4, 4)
    b[:, :, :2], b[:, :, 2:], mask[:, :, :2] = 0.1, 1.0, 1.0
    assert l1(a, b, mask).tolist() == pytest.approx([0.1, 0.1])
    assert psnr(a, b, mask).tolist() == pytest.approx([20, 20], abs=1e-5)


def test_an_empty_mask_measures_nothing():
    assert l1(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)).isnan().all()


def test_a_picture_smaller_than_the_window_is_refused():
    with pytest.raises(MetricError, match="at least 11 px, 8x8 given"):
        ssim(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8))
