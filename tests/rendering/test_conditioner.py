from dataclasses import replace

import pytest
import torch

from fadm.errors import OptionError
from fadm.rendering.conditioner import AttributeGuidedConditioner, ConditionerConfig, coarsen, color_loss, level_weights
from fadm.rendering.conditions import Conditions
from fadm.weights.released import fadm as table
from fadm.weights.renaming import rename
from tests.reference import load_case, normal, relative_error, uniform

SHAPE = (2, 3, 64, 64)


def conditions(appearance="driving", attributes="attribute"):
    difference = normal(f"fadm_tiny/{attributes}", (2, 56))
    return Conditions(
        coarse=uniform("fadm_tiny/coarse", SHAPE),
        appearance=uniform(f"fadm_tiny/{appearance}", SHAPE),
        attributes_source=difference,
        attributes_driving=torch.zeros_like(difference),
    )


@pytest.fixture(scope="module")
def case():
    return load_case("fadm_tiny")


def build(case, **switches):
    conditioner = AttributeGuidedConditioner(ConditionerConfig(time_channels=32, **switches))
    state_dict = rename(case.state_dict(), table.RULES, table.IGNORED)
    prefix = "conditioner."
    conditioner.load_state_dict({k.removeprefix(prefix): v for k, v in state_dict.items() if k.startswith(prefix)})
    return conditioner.eval()


@torch.no_grad()
def test_condition_and_color_loss_are_the_released_ones(case):
    conditioner = build(case)
    features = conditioner.encode(conditions())
    condition = conditioner.fuse(features, case.expected["time_embedding"])
    assert relative_error(condition, case.expected["condition"]) < 1e-3
    assert float(color_loss(features, "absolute")) == pytest.approx(float(case.expected["color_loss"]), rel=1e-5)
    expected = (features.appearance - features.appearance_coarse).square().mean()
    assert torch.equal(color_loss(features), expected)


@torch.no_grad()
def test_motion_weights_are_the_released_ones(case):
    w = build(case).motion_weight(conditions().attribute_difference, case.expected["time_embedding"])
    assert relative_error(w, case.expected["motion"]) < 1e-3
    for i, weights in enumerate(level_weights(w, 3, alpha=0.3).unbind(1)):
        assert relative_error(weights, case.expected[f"weight_{i}"]) < 1e-3


def test_level_weights_turn_at_alpha():
    w = torch.tensor([[0.3, 1.3]])
    weights = level_weights(w, 3, alpha=0.3)
    assert torch.allclose(weights[:, :, 0], torch.ones(1, 3))
    e = float(torch.tensor(1.0).exp())
    assert torch.allclose(weights[:, :, 1], torch.tensor([[e, (e + 1 / e) / 2, 1 / e]]))


@pytest.mark.parametrize(
    ("switch", "follows_attributes", "follows_appearance"),
    [({}, True, True), ({"use_motion": False}, False, True), ({"use_appearance": False}, True, False)],
)
@torch.no_grad()
def test_a_removed_condition_has_no_influence(case, switch, follows_attributes, follows_appearance):
    conditioner, time = build(case, **switch), case.expected["time_embedding"]
    plain = conditioner(conditions(), time)
    assert plain.shape == SHAPE
    assert torch.equal(plain, conditioner(conditions(attributes="other"), time)) != follows_attributes
    assert torch.equal(plain, conditioner(conditions(appearance="other"), time)) != follows_appearance


@pytest.mark.parametrize("downsampling", ["nearest", "area", "bilinear"])
def test_coarsening_keeps_size_and_constant_pictures(downsampling):
    picture = torch.full((1, 3, 20, 28), 0.25)
    assert torch.allclose(coarsen(picture, 8, downsampling, "bilinear"), picture)


@pytest.mark.parametrize("switch", [{}, {"use_motion": False}, {"use_appearance": False}])
@torch.no_grad()
def test_patches_are_places_of_the_condition(switch):
    torch.manual_seed(0)
    config = ConditionerConfig(patch=4, kernel_size=3, time_channels=8, channels=4, **switch)
    conditioner = AttributeGuidedConditioner(config)
    features = conditioner.encode(conditions())
    assert features.appearance.shape == (2, 4, 16, 16) and features.motion.shape == (2, 3, 4, 16, 16)
    condition = conditioner.fuse(features, normal("time", (2, 8)))
    assert condition.shape == (2, 48, 16, 16) and 0 <= condition.min() < condition.max() <= 1


@torch.no_grad()
def test_reductions_are_taken_of_pixels_not_of_places():
    """With means of areas, noise that averages out over 8x8 pixels has no influence on the appearance."""
    torch.manual_seed(0)
    choices = {"downsampling": "area", "appearance_upsampling": "bilinear", "use_motion": False}
    conditioner = AttributeGuidedConditioner(ConditionerConfig(patch=4, kernel_size=3, time_channels=8, **choices))
    board = torch.ones(64, 64)
    board[::2, 1::2] = board[1::2, ::2] = -1
    known = conditions()
    noisy = replace(known, appearance=known.appearance + 0.1 * board)
    plain, other = (conditioner.encode(given).appearance for given in (known, noisy))
    assert torch.allclose(plain, other, atol=1e-5)
    brighter = replace(known, appearance=known.appearance + 0.1)
    assert not torch.allclose(plain, conditioner.encode(brighter).appearance, atol=1e-2)


def test_other_number_of_attributes_is_named(case):
    with pytest.raises(OptionError, match=r"56 attributes were given, .* made for 53"):
        AttributeGuidedConditioner(ConditionerConfig(attribute_channels=53)).encode(conditions())
