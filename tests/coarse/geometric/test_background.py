import pytest
import torch

from fadm.coarse.geometric.background import Layers, fill, fill_behind, split_layers
from fadm.media.crop import Square

SIDE = 128
WHOLE = Square(0, 0, SIDE)


def paint_scene() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A red square before grey and blue stripes (1, 3, 128, 128), its mask (1, 1, 128, 128), and the stripes alone."""
    stripes = torch.zeros(1, 3, SIDE, SIDE)
    stripes[:, :, ::8], stripes[:, 2] = 0.5, 0.8
    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[..., 40:88, 44:84] = 1
    red = torch.tensor([0.9, 0.1, 0.1])[None, :, None, None]
    return torch.lerp(stripes, red, mask), mask, stripes


def split() -> Layers:
    picture, mask, _ = paint_scene()
    return split_layers(picture, mask, WHOLE, WHOLE, SIDE)


def move(layers: Layers, x: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The frame with the person moved to the right, and its confidence."""
    shift = torch.tensor([-x, 0.0])[None, :, None, None].expand(1, 2, SIDE, SIDE)
    return layers.compose(layers.move_person(shift), torch.ones(1, 1, SIDE, SIDE))


def test_layers_at_rest_are_the_picture():
    frame, confidence = move(split(), 0)
    torch.testing.assert_close(frame, paint_scene()[0], atol=1e-5, rtol=0)
    assert confidence[..., 50:78, 50:78].min() > 0.99


def test_the_background_stays_where_it_is_and_is_filled_from_beside():
    picture, _, stripes = paint_scene()
    frame, confidence = move(split(), 10)
    far = torch.ones(SIDE, dtype=torch.bool)
    far[36:104] = False
    torch.testing.assert_close(frame[..., far], picture[..., far], atol=1e-3, rtol=0)
    bared = frame[..., 44:84, 45:53]
    assert (bared - stripes[..., 44:84, 45:53]).abs().mean() < 0.1
    assert bared[:, 0].max() < 0.6  # no red stays behind
    assert confidence[..., 44:84, 46:52].max() < 0.1  # it is not known
    torch.testing.assert_close(frame[..., 44:84, 60:90], picture[..., 44:84, 50:80], atol=0.02, rtol=0)


def test_a_view_of_another_size_shows_the_same():
    picture, mask, _ = paint_scene()
    layers = split_layers(picture, mask, WHOLE, Square(32, 32, 64), 128)
    frame, _ = layers.compose(layers.move_person(torch.zeros(1, 2, 128, 128)), torch.ones(1, 1, 128, 128))
    assert (frame[..., ::2, ::2] - picture[..., 32:96, 32:96]).abs().mean() < 0.05


def test_alpha_moves_like_a_colour():
    picture, mask, _ = paint_scene()
    layers = split_layers(torch.cat([picture, mask], 1), mask, WHOLE, WHOLE, SIDE)
    frame, _ = move(layers, 10)
    torch.testing.assert_close(frame[:, 3, 60], mask.roll(10, 3)[0, :, 60], atol=0.02, rtol=0)


@pytest.mark.parametrize("known", [0.0, 1.0])
def test_all_or_nothing_known_leaves_the_picture(known):
    picture, mask, _ = paint_scene()
    filled = fill_behind(picture, torch.full_like(mask, known))
    torch.testing.assert_close(filled.mean((2, 3)), picture.mean((2, 3)), atol=0.05, rtol=0)
    assert torch.equal(filled, picture) == bool(known)


def test_a_gap_is_filled_with_the_colours_at_its_sides():
    ramp = torch.linspace(0, 1, SIDE).expand(1, 3, SIDE, SIDE)
    known = torch.ones(1, 1, SIDE, SIDE)
    known[..., 50:70, 50:70] = 0
    filled = fill(ramp * known, known)
    torch.testing.assert_close(filled, ramp, atol=0.06, rtol=0)
