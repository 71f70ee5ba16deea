import math

import pytest
import torch

from fadm.diffusion.unet import UNet, UNetConfig
from fadm.errors import OptionError
from tests.reference import load_case, normal

SMALL = UNetConfig(
    in_channels=5,
    out_channels=2,
    channels=16,
    multipliers=(1, 2),
    residual_blocks=2,
    attention_levels=(1,),
    norm_groups=8,
)


def test_shape_follows_the_configuration():
    unet = UNet(SMALL)
    assert unet(normal("x", (2, 5, 8, 12)), normal("time", (2, 16))).shape == (2, 2, 8, 12)


def test_default_has_the_released_number_of_parameters():
    with torch.device("meta"):
        unet = UNet(UNetConfig())
    rows = load_case("fadm_256").rows
    expected = sum(math.prod(shape) for key, shape, _ in rows if key.startswith(("downs", "mid", "ups", "final")))
    assert sum(parameter.numel() for parameter in unet.parameters()) == expected == 141_223_939


def test_size_that_cannot_be_halved_is_named():
    with pytest.raises(OptionError, match="9x8 does not fit this network"):
        UNet(SMALL)(normal("x", (1, 5, 8, 9)), normal("time", (1, 16)))


def test_groups_must_divide_the_channels():
    with pytest.raises(OptionError, match="norm_groups 32"):
        UNet(UNetConfig(channels=48))
