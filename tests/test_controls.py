from dataclasses import fields

import pytest

from fadm.errors import OptionError
from fadm.options import FaceControls


def test_nothing_is_asked_for_unless_told():
    assert all(getattr(FaceControls(), control.name) == 0 for control in fields(FaceControls))


@pytest.mark.parametrize("control", fields(FaceControls), ids=lambda control: control.name)
def test_each_control_has_its_range(control):
    limit = control.metadata["limit"]
    for value in (limit, -limit):
        assert getattr(FaceControls(**{control.name: value}), control.name) == value
    option = f"--{control.name.replace('_', '-')}"
    for value in (1.01 * limit, -1.01 * limit, float("nan")):
        with pytest.raises(OptionError, match=f"^{option} .*: give a number from -{limit:g} to {limit:g}$"):
            FaceControls(**{control.name: value})
    assert f"({-limit:g} to {limit:g})" in control.metadata["help"]
