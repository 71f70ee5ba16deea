import pytest
import torch

from fadm.attributes.landmark_model import load_landmark_model
from fadm.coarse.geometric.mouth import carry_opening, jaw_displacement
from fadm.face import topology

OPEN = torch.linspace(0, 1, 21)


def carry(own: float, driver: float, rest: float) -> float:
    return float(carry_opening(*map(torch.tensor, (own, driver, rest))))


@pytest.mark.parametrize("own", [0.0, 0.2, 0.6])
@pytest.mark.parametrize("rest", [0.0, 0.2, 0.6])
def test_openings_grow_with_the_drivers_from_the_sources_own(own, rest):
    assert carry(own, rest, rest) == pytest.approx(own, abs=1e-6)
    carried = carry_opening(torch.tensor(own), OPEN, torch.tensor(rest))
    assert (carried >= 0).all() and (carried.diff() >= -1e-6).all()


def test_an_open_mouth_opens_about_as_wide_as_the_drivers():
    assert carry(0.5, 0.2, 0.0) < 0.52
    assert 0.6 < carry(0.5, 0.6, 0.0) < 0.75
    assert carry(0.5, 1.5, 0.0) < 1.55


def test_an_open_mouth_closes_when_the_drivers_does():
    assert carry(0.2, 0.0, 0.5) == pytest.approx(0)
    assert carry(0.2, 0.25, 0.5) == pytest.approx(0.1)
    assert carry(0.5, 0.0, 0.4) == pytest.approx(0.1)


@pytest.mark.parametrize(("driver", "rest"), [(0.1, 0.4), (0.4, 0.1)])
def test_a_source_as_open_as_the_driver_follows_exactly(driver, rest):
    assert carry(rest, driver, rest) == pytest.approx(driver)


def test_the_jaw_parts_the_lips_and_leaves_the_brows():
    model = load_landmark_model()
    moved = jaw_displacement(model)[0]
    assert 0.1 < moved[14, 1] - moved[13, 1] < 0.5
    assert moved[topology.BROW_LEFT[0]].norm() < 0.02
