import sys

import pytest
import torch

from fadm.errors import PackageError
from fadm.metrics.distribution import frechet_distance, kernel_distance
from fadm.networks.efficientnet import load_efficientnet_lite0
from fadm.networks.inception import load_inception, pool_efficientnet


def test_pictures_in_another_colour_are_another_set():
    network = load_efficientnet_lite0()
    pictures = torch.rand(6, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        a, b, tinted = (pool_efficientnet(network, p) for p in (pictures[:3], pictures[3:], pictures[3:] * 0.3))
    assert a.shape == (3, 1280)
    few = slice(None), slice(100)  # all 1280 take seconds
    assert frechet_distance(a[few], tinted[few]) > 2 * frechet_distance(a[few], b[few])
    assert kernel_distance(a, tinted) > kernel_distance(a, b)


def test_inception_names_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(PackageError, match="FID needs the package torch-fidelity"):
        load_inception()
    monkeypatch.setitem(sys.modules, "torch_fidelity", sys)
    with pytest.raises(
        PackageError, match=r"FID needs the pretrained network weights-inception.* save it as .*none.pth"
    ):
        load_inception(tmp_path / "none.pth")
