import numpy as np
import pytest
import torch

from fadm.blendshapes import BLENDSHAPES
from fadm.face.topology import EYES, mirror_partners
from fadm.metrics.following import (
    COEFFICIENTS,
    EXPRESSIONS,
    MOVEMENTS,
    SIGNALS,
    correlation,
    gain,
    measure_eyes,
    motion_products,
)
from tests.face.portraits import SIDE, read_portrait


def draw(seed, num=400, size=3):
    return torch.randn(num, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def follow(driver, result):
    xx, xy, yy = motion_products(driver, result).nansum(dim=0)
    return gain(xx, xy).item(), correlation(xx, xy, yy).item()


def test_half_the_motion_has_a_gain_of_half_and_a_correlation_of_one_whatever_the_rest():
    x = draw(0)
    assert follow(x, 0.5 * x + torch.tensor([3.0, -1.0, 0.2])) == pytest.approx((0.5, 1))
    assert follow(x, -x) == pytest.approx((-1, -1))


def test_noise_lowers_the_correlation_and_not_the_gain():
    """Noise as strong as the motion: correlation 1 / sqrt(2)."""
    strength, likeness = follow(draw(0, 20000), draw(0, 20000) + draw(1, 20000))
    assert strength == pytest.approx(1, abs=0.02) and likeness == pytest.approx(0.5**0.5, abs=0.01)


def test_what_does_not_move_has_no_gain_and_no_correlation():
    x = draw(0)
    strength, likeness = follow(x, torch.full_like(x, 0.1))
    assert strength == 0 and np.isnan(likeness)
    assert np.isnan(follow(torch.zeros_like(x), x)[0])


def test_frames_that_one_lacks_count_for_neither():
    x, y = draw(0), draw(1)
    gaps = y.clone()
    gaps[::3, 1] = torch.nan
    seen = gaps.isfinite().all(dim=1)
    assert follow(x, gaps) == pytest.approx(follow(x[seen], y[seen]))
    assert motion_products(x[:2], gaps[:2]).isnan().all()  # one frame is left, which shows no motion
    both = motion_products(x, y, gaps)
    assert both.shape == (400, 5) and both[::3].isnan().all()


def test_signals_of_another_shape_are_refused():
    with pytest.raises(RuntimeError, match="equal size"):
        motion_products(draw(0, 4), draw(0, 5))


def test_every_group_holds_known_signals_and_each_once():
    names = [signal for movement in EXPRESSIONS for signal in movement.signals]
    assert len(names) == len({*names}) and {*names} <= {*BLENDSHAPES}
    assert [len(movement.signals) for movement in EXPRESSIONS] == [2, 8, 5, 1, 2, 2, 4, 4]
    assert {SIGNALS[i] for movement in MOVEMENTS for i in movement.columns} <= {*SIGNALS}
    assert len(COEFFICIENTS) == 51 and len({m.name for m in (*MOVEMENTS, *COEFFICIENTS)}) == len(MOVEMENTS) + 51


def make_eyes(opening, shift):
    """Eyes of width 20 whose lids are `opening` widths apart, with irises moved by `shift` widths."""
    landmarks = torch.zeros(1, 478, 2)
    for (upper, lower, iris), left in zip(EYES, (50.0, 100.0), strict=True):
        outer_first = torch.linspace(0, 20, 9) if left == 50 else torch.linspace(20, 0, 9)
        for lid, side in ((upper, -0.5), (lower, 0.5)):
            landmarks[0, list(lid), 0] = left + outer_first
            landmarks[0, list(lid[1:-1]), 1] = side * opening * 20
        landmarks[0, list(iris)] = torch.tensor([left + 10, 0.0]) + 20 * torch.tensor(shift)
    return landmarks


def test_eyes_are_measured_in_their_own_frame():
    landmarks = make_eyes(0.4, [0.2, -0.1])
    expected = torch.tensor([[0.4, 0.4, 0.2, 0.2, -0.1, -0.1]])
    torch.testing.assert_close(measure_eyes(landmarks), expected)
    angle = torch.tensor(0.5)
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    torch.testing.assert_close(measure_eyes(3 * landmarks @ turn.T + 7), expected)


def test_an_iris_behind_closed_lids_has_no_place():
    measured = measure_eyes(make_eyes(0.05, [0.2, -0.1]))
    torch.testing.assert_close(measured[:, :2], torch.tensor([[0.05, 0.05]]))
    assert measured[:, 2:].isnan().all()
    assert measure_eyes(torch.full((1, 478, 3), torch.nan)).isnan().all()


def test_a_mirrored_face_looks_the_other_way():
    points = torch.from_numpy(read_portrait().landmarks)[None]
    mirrored = points[:, mirror_partners()] * torch.tensor([-1.0, 1, 1]) + torch.tensor([SIDE - 1.0, 0, 0])
    own, other = measure_eyes(points)[0], measure_eyes(mirrored)[0]
    torch.testing.assert_close(other, own[[1, 0, 3, 2, 5, 4]] * torch.tensor([1, 1, -1, -1, 1, 1]), atol=1e-4, rtol=0)
