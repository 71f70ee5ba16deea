import pytest
import torch
import torch.nn.functional as F

from fadm.rendering.repair import (
    CERTAINLY_MOVED,
    apply_repair,
    count_channels,
    limit_source_mask,
    move_pixels,
    read_repair,
)
from tests.reference import blob, normal, uniform

SHAPE = (2, 3, 16, 24)
PATCH, SCALE = 4, 8.0
PICTURE, OTHER = uniform("picture", SHAPE), uniform("other", SHAPE)


def make_output(colors=None, mask=None, shift=None):
    """An output (2, 66, 4, 6) from pictures: colours (2, 3, 16, 24), mask (2, 1, 16, 24), shift (2, 2, 4, 6)."""
    parts = [
        torch.zeros(2, 48, 4, 6) if colors is None else F.pixel_unshuffle(colors, PATCH),
        torch.zeros(2, 16, 4, 6) if mask is None else F.pixel_unshuffle(mask, PATCH),
        torch.zeros(2, 2, 4, 6) if shift is None else shift,
    ]
    return torch.cat(parts, dim=1)


def shift_by(x, y):
    """The same shift everywhere, in patches."""
    return torch.tensor([x, y]).view(1, 2, 1, 1).expand(2, 2, 4, 6)


def repair(picture=PICTURE, other=OTHER, **parts):
    """The pictures repaired by an output of these parts."""
    return apply_repair(read_repair(make_output(**parts), PATCH, SCALE), picture, other)


def test_a_zero_output_is_no_change():
    assert make_output().shape[1] == count_channels(PATCH) == 66
    assert torch.allclose(repair(), PICTURE, atol=1e-5)


def test_colours_are_added():
    colors = normal("colors", SHAPE)
    assert torch.allclose(repair(colors=SCALE * colors), PICTURE + colors, atol=1e-5)


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_the_mask_is_the_share_of_the_other_picture(share):
    mask = torch.zeros(2, 1, 16, 24)
    mask[:, :, 5, 7] = share
    result = repair(mask=mask)
    expected = PICTURE.clone()
    expected[:, :, 5, 7] = (1 - share) * PICTURE[:, :, 5, 7] + share * OTHER[:, :, 5, 7]
    assert torch.allclose(result, expected, atol=1e-6)


def test_a_shift_looks_elsewhere():
    result = repair(shift=shift_by(0.5, -0.25))
    # half a patch to the right and a quarter of one up: 2 pixels and 1 pixel
    assert torch.allclose(result[:, :, 1:, :-2], PICTURE[:, :, :-1, 2:], atol=1e-5)
    assert torch.allclose(result[:, :, 1:, -1], PICTURE[:, :, :-1, -1], atol=1e-5)  # beyond the border is the border


def test_what_is_moved_is_mixed_with_what_is_not():
    mask, shift = torch.full((2, 1, 16, 24), 0.3), shift_by(0.25, 0.0)
    result = repair(mask=mask, shift=shift)
    expected = 0.7 * PICTURE[..., 1:] + 0.3 * OTHER[..., :-1]  # the other picture stays where it is
    assert torch.allclose(result[..., :-1], expected, atol=1e-5)


def test_a_person_who_has_moved_is_not_taken():
    nobody, everywhere = torch.zeros(2, 2, 16, 24), torch.ones(2, 2, 16, 24)
    mask, other = torch.full((2, 1, 16, 24), 0.8), PICTURE.clone()
    other[:, 1, 4, 5] += CERTAINLY_MOVED
    other[:, 2, 6, 7] -= CERTAINLY_MOVED / 2
    assert torch.equal(limit_source_mask(mask, nobody, PICTURE, other), mask)
    for place in (everywhere, torch.cat([everywhere[:, :1], nobody[:, :1]], 1)):  # in either picture
        limited = limit_source_mask(mask, place, PICTURE, other)
        assert torch.allclose(limited[:, 0, 4, 5], torch.tensor(0.0), atol=1e-6)
        assert torch.allclose(limited[:, 0, 6, 7], torch.tensor(0.4), atol=1e-6)
        is_same = (other == PICTURE).all(1, keepdim=True)
        assert torch.equal(limited[is_same], mask[is_same])


def test_a_shift_follows_its_gradient():
    """Descent on the shift brings a moved picture back to its place."""
    picture = blob("smooth", (1, 3, 16, 16))
    target = move_pixels(picture, torch.full((1, 2, 4, 4), 0.3))
    shift = torch.zeros(1, 2, 4, 4, requires_grad=True)
    optimizer = torch.optim.Adam([shift], lr=0.05)
    errors = []
    for _ in range(60):
        error = (move_pixels(picture, shift) - target).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.05 * errors[0]


def test_half_precision_around_it_does_not_move_pixels():
    picture, still = uniform("large", (1, 3, 48, 192)), torch.zeros(1, 2, 12, 48)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(move_pixels(picture, still), picture, rtol=0, atol=1e-4)


def test_a_repair_means_the_same_at_any_resolution():
    """Detail finer than the network's pixels is moved and taken like everything else."""
    fine = uniform("fine", (2, 3, 64, 96))
    mask = torch.zeros(2, 1, 16, 24)
    mask[..., 12:] = 1
    result = repair(fine, 1 - fine, shift=shift_by(0.5, 0.0), mask=mask, colors=torch.full(SHAPE, 0.1 * SCALE))
    moved = fine[..., 8:40]  # half a patch is 8 of its pixels
    assert torch.allclose(result[..., :32], moved + 0.1, atol=1e-4)
    assert torch.allclose(result[..., 64:], 1.1 - fine[..., 64:], atol=1e-4)


def test_some_of_the_repairs():
    whole = read_repair(make_output(shift=normal("shift", (2, 2, 4, 6))), PATCH, SCALE)
    alone = apply_repair(whole[1:], PICTURE[1:], OTHER[1:])
    assert torch.equal(alone, apply_repair(whole, PICTURE, OTHER)[1:])
