import sys

import pytest
import torch
from torch import nn

from fadm.errors import OptionError, PackageError, WeightsError
from fadm.networks.lpips import FILES, load_lpips

VGG16 = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool")


def build_alexnet():
    """torchvision's layers (its `alexnet().features`)."""
    pool = nn.MaxPool2d(3, 2)
    first = [nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), pool, nn.Conv2d(64, 192, 5, 1, 2), nn.ReLU(), pool]
    rest = [(192, 384), (384, 256), (256, 256)]
    return nn.Sequential(*first, *(layer for pair in rest for layer in (nn.Conv2d(*pair, 3, 1, 1), nn.ReLU())), pool)


def build_vgg16():
    layers, channels = [], 3
    for width in VGG16:
        if width == "pool":
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [nn.Conv2d(channels, width, 3, 1, 1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


BUILDERS = {"alex": build_alexnet, "vgg": build_vgg16}


@pytest.fixture(scope="module", params=["alex", "vgg"])
def made_up(request, tmp_path_factory):
    """A net's name, layers with made-up weights, and these as torchvision's file."""
    torch.manual_seed(0)
    layers = BUILDERS[request.param]()
    path = tmp_path_factory.mktemp("backbone") / FILES[request.param]
    torch.save({f"features.{key}": value for key, value in layers.state_dict().items()}, path)
    return request.param, layers, path


def test_it_is_torchmetrics_distance(made_up, monkeypatch):
    from torchmetrics.functional.image import lpips as reference

    net, layers, path = made_up
    monkeypatch.setattr(reference, "_get_tv_model_features", lambda name, pretrained: layers)
    a, b = torch.rand(2, 2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    expected = reference.learned_perceptual_image_patch_similarity(a, b, net_type=net, reduction="none", normalize=True)
    network = load_lpips(net, path)
    assert network.name == f"lpips_{net}"
    torch.testing.assert_close(network(a, b), expected, rtol=1e-3, atol=0)
    assert network(a, a).tolist() == [0, 0]


def test_a_missing_backbone_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(PackageError, match=r"lpips_alex needs .* download https://download.pytorch.org/models/alexnet"):
        load_lpips()


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    with pytest.raises(PackageError, match="LPIPS needs the package torchmetrics"):
        load_lpips()


def test_another_backbone_is_refused():
    with pytest.raises(OptionError, match="no backbone 'squeeze'; choose among alex, vgg"):
        load_lpips("squeeze")


def test_a_file_that_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "backbone.pth"
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3), "features.0.bias": torch.zeros(64)}, path)
    with pytest.raises(WeightsError, match="does not fit LPIPS: 8 missing"):
        load_lpips("alex", path)
