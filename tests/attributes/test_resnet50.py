import pytest
import torch

from fadm.attributes.resnet50 import Bottleneck, ResNet50


def test_features_of_a_picture():
    network = ResNet50().eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 2048)
    assert sum(weight.numel() for weight in network.parameters()) == 23_508_032  # He et al., without classifier


def test_block_without_branch_is_its_shortcut():
    block = Bottleneck(32, 8, stride=1).eval()
    torch.nn.init.zeros_(block.bn3.weight)
    x = torch.rand(1, 32, 4, 4)
    torch.testing.assert_close(block(x), x)


def test_stride_halves_the_sides():
    assert Bottleneck(16, 8, stride=2)(torch.rand(2, 16, 8, 8)).shape == (2, 32, 4, 4)


def test_pictures_need_three_channels():
    with pytest.raises(RuntimeError, match="channels"):
        ResNet50()(torch.zeros(1, 1, 64, 64))
