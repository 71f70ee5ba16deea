from dataclasses import fields

import pytest

from fadm.errors import OptionError
from fadm.options import Gains


@pytest.mark.parametrize("gain", [part.name for part in fields(Gains)])
def test_each_gain_is_one_unless_told_and_at_most_three(gain):
    assert getattr(Gains(), gain) == 1
    for value in (0, 3):
        assert getattr(Gains(**{gain: value}), gain) == value
    for value in (-0.1, 3.1, float("nan")):
        with pytest.raises(OptionError, match=f"^--{gain.replace('_', '-')} .*: give a number from 0 to 3$"):
            Gains(**{gain: value})
