import pytest
import torch
from skimage import data

from fadm.metrics.perceptual import normalise_channels, perceptual_distance
from fadm.networks.efficientnet import load_efficientnet_lite0


@pytest.fixture(scope="module")
def network():
    return load_efficientnet_lite0()


@pytest.fixture(scope="module")
def portrait():
    return torch.from_numpy(data.astronaut()[:256, 96:352]).permute(2, 0, 1)[None].float() / 255


def test_orthogonal_vectors_are_two_apart_at_each_stage():
    a, b = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    a[:, 0], b[0, 1], b[1, 0] = 5.0, 0.1, 7.0
    distance = perceptual_distance([a, a[:, :, :2]], [b, b[:, :, :2]])
    torch.testing.assert_close(distance, torch.tensor([4.0, 0.0]))


def test_zeros_stay_zeros_with_a_finite_gradient():
    features = torch.zeros(1, 3, 2, 2, requires_grad=True)
    normalise_channels(features).sum().backward()
    assert features.grad.isfinite().all()


def test_different_numbers_of_stages_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        perceptual_distance([torch.rand(1, 3, 2, 2)] * 2, [torch.rand(1, 3, 2, 2)])


def test_it_grows_with_the_distortion(network, portrait):
    noise = torch.randn(portrait.shape, generator=torch.Generator().manual_seed(0))
    distances = [
        perceptual_distance(network.features(portrait), network.features((portrait + s * noise).clamp(0, 1))).item()
        for s in (0.0, 0.02, 0.1, 0.3)
    ]
    assert distances[0] == 0 and distances == sorted(distances) and distances[-1] > 1


def test_a_blur_is_worse_than_a_small_change_of_brightness(network, portrait):
    """Pixel by pixel the brighter picture is the worse one."""
    blurred = torch.nn.functional.avg_pool2d(portrait, 5, stride=1, padding=2, count_include_pad=False)
    brighter = (portrait + 0.05).clamp(0, 1)
    assert (blurred - portrait).abs().mean() < (brighter - portrait).abs().mean()
    reference = network.features(portrait)
    far, near = (perceptual_distance(reference, network.features(image)) for image in (blurred, brighter))
    assert far > 2 * near
