import pytest
import torch

from fadm.diffusion.loss import measure_error
from fadm.errors import OptionError


@pytest.mark.parametrize(("name", "expected"), [("squared", 2.5), ("absolute", 1.5), ("absolute_sum", 3.0)])
def test_errors_have_their_closed_form(name, expected):
    assert measure_error(name, torch.tensor([1.0, 4.0]), torch.tensor([2.0, 2.0])) == expected


def test_unknown_loss_is_named():
    with pytest.raises(OptionError, match="'huber' is unknown"):
        measure_error("huber", torch.zeros(1), torch.zeros(1))
