from dataclasses import replace

import pytest
import torch

from fadm.errors import ConfigError, OptionError
from fadm.training.losses.reconstruction import ReconstructionConfig
from fadm.training.objective import Objective
from fadm.training.objectives.fomm import FOMMObjectiveConfig, build_fomm_objective
from tests.training import tiny

PLAIN = FOMMObjectiveConfig(network=tiny.FOMM, discriminator=tiny.DISCRIMINATOR, reconstruction=tiny.RECONSTRUCTION)
ADVERSARIAL = replace(PLAIN, adversarial_weight=1.0, discriminator=replace(tiny.DISCRIMINATOR, sees_keypoints=True))


def build(config: FOMMObjectiveConfig = PLAIN) -> Objective:
    torch.manual_seed(0)
    return build_fomm_objective(config, tiny.Features())


def test_losses_and_pictures():
    output = build().generator(tiny.make_batch(2), None)
    assert set(output.losses) == {"perceptual", "equivariance", "jacobian_equivariance"}
    assert all(loss.shape == () and loss > 0 for loss in output.losses.values())
    assert output.pictures["prediction"].shape == (2, 3, tiny.SIDE, tiny.SIDE)


def test_the_prediction_is_what_the_network_draws():
    objective, batch = build(), tiny.make_batch(2)
    objective.generator.eval()
    fomm = objective.networks["fomm"]
    expected = fomm.drive(fomm.prepare(batch["source"]), batch["driving"])
    torch.testing.assert_close(objective.generator(batch, None).pictures["prediction"], expected)


def test_losses_are_proportional_to_their_weights():
    config = replace(
        ADVERSARIAL,
        equivariance_weight=30.0,
        jacobian_weight=5.0,
        adversarial_weight=4.0,
        reconstruction=replace(tiny.RECONSTRUCTION, perceptual_weight=20.0, feature_matching_weight=1.0),
    )
    factors = {
        "perceptual": 2,
        "equivariance": 3,
        "jacobian_equivariance": 0.5,
        "adversarial": 4,
        "feature_matching": 0.1,
    }
    before, after = build(ADVERSARIAL), build(config)
    for objective in (before, after):
        objective.generator.eval()
        objective.discriminator.eval()
    losses = before.generator(tiny.make_batch(2), before.discriminator).losses
    changed = after.generator(tiny.make_batch(2), after.discriminator).losses
    assert set(losses) == set(factors)
    for name, factor in factors.items():
        assert changed[name].item() == pytest.approx(factor * losses[name].item(), rel=1e-4), name


def test_a_loss_of_weight_0_is_left_out():
    config = replace(PLAIN, equivariance_weight=0.0, jacobian_weight=0.0, reconstruction=ReconstructionConfig(
        perceptual_weight=0.0, pixel_weight=1.0))  # fmt: skip
    objective = build_fomm_objective(config)  # without a perceptual loss, no features are loaded
    assert set(objective.generator(tiny.make_batch(2), None).losses) == {"pixel"}


@pytest.mark.parametrize("config", [PLAIN, ADVERSARIAL])
def test_every_trained_parameter_gets_a_finite_gradient(config):
    objective = build(config)
    if objective.discriminator:
        objective.discriminator.requires_grad_(False)
    tiny.add_up(objective, tiny.make_batch(2)).backward()
    trained = {name: p for name, p in objective.generator.named_parameters() if p.requires_grad}
    assert trained.keys() == {f"fomm.{name}" for name, _ in objective.networks["fomm"].named_parameters()}
    missing = [name for name, p in trained.items() if p.grad is None or not p.grad.isfinite().all()]
    assert missing == []
    assert all(part.weight.grad.abs().sum() > 0 for part in find_heads(objective))


def find_heads(objective: Objective) -> list[torch.nn.Conv2d]:
    fomm = objective.networks["fomm"]
    detector, motion = fomm.keypoint_detector, fomm.dense_motion
    return [detector.heatmap, detector.jacobian, motion.mask, motion.occlusion, fomm.generator.decoder.final]


def test_a_batch_of_four_loses_the_mean_of_its_halves():
    objective = build(ADVERSARIAL)
    objective.generator.eval()
    objective.discriminator.eval()
    batch = tiny.make_batch(4)
    parts = [batch, *({name: x[half] for name, x in batch.items()} for half in (slice(2), slice(2, 4)))]
    whole, first, second = (objective.generator(part, objective.discriminator) for part in parts)
    for name, loss in whole.losses.items():
        torch.testing.assert_close(loss, (first.losses[name] + second.losses[name]) / 2, msg=name)
    judged, *halves = (
        objective.discriminator(p, o.pictures) for p, o in zip(parts, (whole, first, second), strict=True)
    )
    for name, loss in judged.items():
        torch.testing.assert_close(loss, (halves[0][name] + halves[1][name]) / 2, msg=name)


@pytest.mark.parametrize("config", [PLAIN, ADVERSARIAL])
def test_training_lowers_the_losses(config):
    totals = tiny.take_steps(build(config), tiny.make_batch(4), 30)
    assert sum(totals[-5:]) < 0.8 * sum(totals[:5])


def test_under_autocast_losses_stay_float32():
    objective = build(ADVERSARIAL)
    objective.generator.eval()  # a batch norm of two values only knows which is larger
    objective.discriminator.eval()  # a spectral norm's estimate improves with each use
    exact = objective.generator(tiny.make_batch(2), objective.discriminator)
    with torch.autocast("cpu", torch.bfloat16):
        output = objective.generator(tiny.make_batch(2), objective.discriminator)
    assert output.pictures["prediction"].dtype == torch.float32
    assert all(loss.dtype == torch.float32 for loss in output.losses.values())
    for name, loss in output.losses.items():
        assert loss.item() == pytest.approx(exact.losses[name].item(), rel=0.05, abs=0.02), name


def test_without_jacobians():
    objective = build(replace(PLAIN, network=replace(tiny.FOMM, has_jacobians=False)))
    assert "jacobian_equivariance" not in objective.generator(tiny.make_batch(2), None).losses


def test_a_negative_weight_is_refused():
    with pytest.raises(ConfigError, match=r"objective\.jacobian_weight -1: give 0 or more"):
        build(replace(PLAIN, jacobian_weight=-1.0))


def test_pictures_that_do_not_fit_are_refused():
    batch = {name: x[..., :30] if x.dim() == 4 else x for name, x in tiny.make_batch(2).items()}
    with pytest.raises(OptionError, match="multiples of 16 px"):
        build().generator(batch, None)
