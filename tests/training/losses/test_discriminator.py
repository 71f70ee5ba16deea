import math

import pytest
import torch
from torch import nn

from fadm.errors import OptionError
from fadm.training.losses.discriminator import (
    Discriminator,
    DiscriminatorConfig,
    Judgement,
    match_features,
    score_as_convincing,
    score_as_fake,
    score_as_real,
)

SCORES = torch.tensor([[-2.0, 0.5, 3.0]])
CONFIG = DiscriminatorConfig(factors=(1, 2), width=4, max_channels=6, num_blocks=2, sees_keypoints=True)


def make_discriminator(config: DiscriminatorConfig = CONFIG) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(config, num_keypoints=5, loss="hinge")


def test_least_squares_in_closed_form():
    assert score_as_real("least_squares", SCORES).item() == pytest.approx((9 + 0.25 + 4) / 3)
    assert score_as_fake("least_squares", SCORES).item() == pytest.approx((4 + 0.25 + 9) / 3)
    assert score_as_convincing("least_squares", SCORES).item() == pytest.approx((9 + 0.25 + 4) / 3)


def test_the_hinge_in_closed_form():
    assert score_as_real("hinge", SCORES).item() == pytest.approx((3 + 0.5 + 0) / 3)
    assert score_as_fake("hinge", SCORES).item() == pytest.approx((0 + 1.5 + 4) / 3)
    assert score_as_convincing("hinge", SCORES).item() == pytest.approx(-0.5)


def test_features_are_matched_block_by_block():
    made = [Judgement(SCORES, [torch.zeros(1, 2, 3, 3), torch.ones(1, 4, 1, 1)])]
    real = [Judgement(SCORES, [torch.full((1, 2, 3, 3), 0.5), torch.full((1, 4, 1, 1), 3.0)])]
    assert match_features(made, real).item() == pytest.approx(0.5 + 2)


def test_each_size_is_judged_patch_by_patch():
    judgements = make_discriminator().judge(torch.rand(2, 3, 48, 32), torch.rand(2, 5, 48, 32))
    assert [tuple(judgement.scores.shape) for judgement in judgements] == [(2, 1, 19, 11), (2, 1, 7, 3)]
    assert [x.shape[1] for x in judgements[0].features] == [4, 6]


def test_released_size():
    blocks = Discriminator(DiscriminatorConfig(), 10, "least_squares").networks[0].blocks
    assert [block.conv.out_channels for block in blocks] == [64, 128, 256, 512]
    assert [type(block.norm) for block in blocks] == [nn.Identity, *[nn.InstanceNorm2d] * 3]
    assert [block.halves for block in blocks] == [True, True, True, False]


def test_spectral_norm_bounds_every_convolution():
    discriminator = make_discriminator().train()
    picture, maps = torch.rand(2, 3, 32, 32), torch.rand(2, 5, 32, 32)
    for _ in range(30):
        discriminator.judge(picture, maps)
    weight = discriminator.networks[0].blocks[1].conv.weight.flatten(1)
    assert torch.linalg.matrix_norm(weight, 2).item() == pytest.approx(1, rel=1e-2)


def test_an_undecided_discriminator_loses_the_margin_on_both_sides():
    discriminator = make_discriminator()
    for network in discriminator.networks:
        nn.init.zeros_(network.score.bias)
        network.score.register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
    pictures = {"prediction": torch.rand(2, 3, 32, 32), "keypoints": torch.rand(2, 5, 32, 32)}
    losses = discriminator({"driving": torch.rand(2, 3, 32, 32)}, pictures)
    assert {name: loss.item() for name, loss in losses.items()} == {"discriminator_real": 2, "discriminator_fake": 2}


def test_judging_passes_no_gradient_to_the_generator():
    prediction = torch.rand(2, 3, 32, 32, requires_grad=True)
    discriminator = make_discriminator()
    losses = discriminator(
        {"driving": torch.rand(2, 3, 32, 32)}, {"prediction": prediction, "keypoints": torch.rand(2, 5, 32, 32)}
    )
    sum(losses.values()).backward()
    assert prediction.grad is None
    gradients = [parameter.grad for parameter in discriminator.parameters()]
    assert all(gradient is not None and math.isfinite(gradient.sum()) for gradient in gradients)


def test_key_points_are_seen():
    discriminator, picture = make_discriminator(), torch.rand(1, 3, 32, 32)
    first, second = (discriminator.judge(picture, torch.full((1, 5, 32, 32), value))[0].scores for value in (0.0, 1.0))
    assert (first - second).abs().max() > 1e-4


def test_pictures_that_are_too_small():
    with pytest.raises(OptionError, match="needs at least 13 px and got 32x12"):
        make_discriminator(DiscriminatorConfig(num_blocks=2)).judge(torch.rand(1, 3, 12, 32))
    make_discriminator(DiscriminatorConfig(width=4, num_blocks=2)).judge(torch.rand(1, 3, 13, 13))
