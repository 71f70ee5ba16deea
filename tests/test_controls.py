from dataclasses import fields

import pytest

from fadm.blendshapes import BLENDSHAPES
from fadm.controls import FaceControls
from fadm.errors import OptionError

CONTROLS = [control for control in fields(FaceControls) if "limit" in control.metadata]


def test_nothing_is_asked_for_unless_told():
    assert all(getattr(FaceControls(), control.name) == 0 for control in CONTROLS)
    assert FaceControls().blendshapes == {}


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
def test_each_control_has_its_range(control):
    limit = control.metadata["limit"]
    for value in (limit, -limit):
        assert getattr(FaceControls(**{control.name: value}), control.name) == value
    option = f"--{control.name.replace('_', '-')}"
    for value in (1.01 * limit, -1.01 * limit, float("nan")):
        with pytest.raises(OptionError, match=f"^{option} .*: give a number from -{limit:g} to {limit:g}$"):
            FaceControls(**{control.name: value})
    assert f"({-limit:g} to {limit:g})" in control.metadata["help"]


def test_each_blendshape_has_its_option():
    (named,) = (f.metadata["names"] for f in fields(FaceControls) if "names" in f.metadata)
    assert tuple(named) == BLENDSHAPES
    assert named["eyeBlinkLeft"] == "Close the left eye (0 to 1.5)."


@pytest.mark.parametrize("value", [-0.01, 1.51, float("nan")])
def test_blendshapes_have_their_range(value):
    assert FaceControls(blendshapes={"jawOpen": 1.5, "jawLeft": 0}).blendshapes["jawOpen"] == 1.5
    with pytest.raises(OptionError, match=r"^--jawOpen .*: give a number from 0 to 1\.5$"):
        FaceControls(blendshapes={"jawOpen": value})


def test_an_unknown_blendshape_is_near_to_known_ones():
    with pytest.raises(OptionError, match=r"^'jaw_open' is no blendshape: did you mean jawOpen\b"):
        FaceControls(blendshapes={"jaw_open": 1})
