import pytest
import torch
from torch import Tensor, nn

from fadm.errors import ConfigError
from fadm.networks.efficientnet import FEATURE_CHANNELS, EfficientNetLite0
from fadm.training.losses.pyramid import (
    DEVIATIONS,
    EfficientNetFeatures,
    PerceptualLoss,
    Pyramid,
    load_picture_features,
)
from tests.training.tiny import Features


class Picture(nn.Module):
    """Features that are the picture and its double."""

    def forward(self, picture: Tensor) -> list[Tensor]:
        return [picture, 2 * picture]


def test_levels_are_shrunk_and_keep_the_mean():
    levels = Pyramid(3, (1, 2, 4, 8))(torch.full((2, 3, 64, 48), 0.5))
    assert [tuple(level.shape) for level in levels] == [(2, 3, 64 // f, 48 // f) for f in (1, 2, 4, 8)]
    for level in levels:
        assert level[0, 0, level.shape[2] // 2, level.shape[3] // 2] == pytest.approx(0.5, abs=1e-3)


def test_levels_are_float32_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        assert all(level.dtype == torch.float32 for level in Pyramid(3, (1, 2))(torch.rand(1, 3, 16, 16)))


def test_the_loss_sums_over_stages_and_sizes():
    pictures = [torch.rand(2, 3, 8, 8), torch.rand(2, 3, 4, 4)]
    targets = [pictures[0] + 0.1, pictures[1] - 0.3]
    loss = PerceptualLoss(Picture())(pictures, targets)
    assert loss.item() == pytest.approx(3 * 0.1 + 3 * 0.3, rel=1e-5)


def test_only_the_picture_passes_a_gradient_on():
    picture, target = (torch.rand(1, 3, 16, 16, requires_grad=True) for _ in range(2))
    perceptual = PerceptualLoss(Features()).train()
    assert not perceptual.features.training
    perceptual([picture], [target]).backward()
    assert picture.grad is not None and picture.grad.abs().sum() > 0
    assert target.grad is None
    assert all(parameter.grad is None for parameter in perceptual.parameters())


def test_stages_of_the_pretrained_network_are_brought_to_one_scale():
    torch.manual_seed(0)
    network = EfficientNetLite0()
    picture = torch.rand(1, 3, 32, 32)
    stages = EfficientNetFeatures(network, (4, 2))(picture)
    assert [stage.shape[1] for stage in stages] == [FEATURE_CHANNELS[2], FEATURE_CHANNELS[4]]
    torch.testing.assert_close(stages[1] * DEVIATIONS[4], network.features(picture, (4,))[0])


def test_a_stride_that_is_not_there():
    with pytest.raises(ConfigError, match=r"strides \[3\] .* choose among \[2, 4"):
        load_picture_features((3,))
