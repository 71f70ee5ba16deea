import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from fadm.coarse.layers import AntiAliasDownsample, Hourglass, check_sides, double, halve, plan_channels
from fadm.errors import OptionError


def test_plan_channels_doubles_up_to_the_most():
    assert plan_channels(32, 100, 3) == [32, 64, 100, 100]


def test_halve_and_double_leave_depth_alone():
    volume = torch.arange(16.0).view(1, 1, 2, 2, 4)
    assert halve(volume).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    torch.testing.assert_close(halve(double(volume)), volume)
    assert double(volume[:, :, 0]).shape == (1, 1, 4, 8)


def test_hourglass_joins_its_input_to_its_output():
    for dims, shape in ((2, (2, 5, 8, 12)), (3, (2, 5, 3, 8, 12))):
        hourglass = Hourglass(dims, 5, width=4, max_channels=8, num_blocks=2)
        x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        output = hourglass(x)
        assert output.shape == (2, hourglass.out_channels, *shape[2:])
        torch.testing.assert_close(output[:, 4:], x)


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_downsampling_is_a_gaussian_then_every_nth_pixel(factor):
    picture = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    small = AntiAliasDownsample(3, factor)(picture)
    for channel in range(3):
        blurred = gaussian_filter(picture[0, channel].numpy(), (factor - 1) / 2, mode="constant", truncate=4)
        np.testing.assert_allclose(small[0, channel], blurred[::factor, ::factor], atol=1e-6)


def test_sides_that_do_not_fit_are_refused():
    check_sides(torch.zeros(1, 3, 64, 128), 64)
    with pytest.raises(OptionError, match="multiples of 64 px, not 100x64"):
        check_sides(torch.zeros(1, 3, 64, 100), 64)
