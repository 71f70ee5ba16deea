from dataclasses import replace

import pytest
import torch

from fadm.metrics.perceptual import perceptual_distance
from fadm.networks.efficientnet import load_efficientnet_lite0
from fadm.networks.face_mesh import landmark_distance, load_face_mesh
from fadm.rendering.options import LossOptions
from fadm.training.losses.discriminator import Discriminator
from fadm.training.objectives.renderer import (
    WINDOW_TURN,
    WINDOW_ZOOM,
    RendererObjectiveConfig,
    build_renderer_objective,
    draw_jitter,
)
from tests.reference import normal, uniform
from tests.training.runs import OBJECTIVE, RENDERER, SIDE

SHAPE = (4, 3, SIDE, SIDE)
BATCH = {
    "source": uniform("source", SHAPE),
    "driving": uniform("driving", SHAPE),
    "coarse": uniform("coarse", SHAPE),
    "attention": uniform("attention", (4, 1, SIDE, SIDE)),
    "attributes_source": normal("attributes_source", (4, 56)),
    "attributes_driving": normal("attributes_driving", (4, 56)),
    "landmarks": SIDE * uniform("landmarks", (4, 478, 3)),
    "seed": torch.arange(4) + 2**60,
}
PLAIN = RendererObjectiveConfig(renderer=RENDERER)


def build(config):
    torch.manual_seed(0)
    return build_renderer_objective(config)


def make_it_answer(objective):
    """An untrained renderer changes nothing; this one's answer depends on all that it is shown."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in objective.networks["fadm"].unet.head.parameters():
            parameter.normal_(std=0.1)
    return objective


def part(first, last):
    return {name: tensor[first:last] for name, tensor in BATCH.items()}


@torch.no_grad()
def test_the_papers_losses_stand_alone_by_default():
    losses = LossOptions(denoising_weight=0.5, color_weight=3)
    objective = build(replace(PLAIN, losses=losses))
    assert objective.discriminator is None
    output = objective.generator(BATCH, None)
    assert output.losses.keys() == {"denoising", "color"}
    # an untrained renderer answers 0, where 8 times the correction is asked for
    expected = 0.5 * (8 * (BATCH["driving"] - BATCH["coarse"])).square().mean()
    assert torch.allclose(output.losses["denoising"], expected)
    encode = objective.networks["fadm"].conditioner._encode_appearance
    expected = 3 * (encode(BATCH["coarse"]) - encode(BATCH["driving"])).square().mean()
    assert torch.allclose(output.losses["color"], expected)
    assert torch.equal(output.pictures["prediction"], BATCH["coarse"])


@torch.no_grad()
def test_losses_of_the_picture_have_their_weights():
    config = replace(PLAIN, picture_weight=2.0, attention_weight=5.0, perceptual_weight=0.25, perceptual_strides=(2, 8))
    output = build(config).generator(BATCH, None)
    driving, coarse = BATCH["driving"], BATCH["coarse"]
    expected = 2 * ((driving - coarse).abs() * (1 + 5 * BATCH["attention"])).mean()
    assert torch.allclose(output.losses["picture"], expected)
    features = load_efficientnet_lite0()
    distance = perceptual_distance(features.features(coarse, (2, 8)), features.features(driving, (2, 8)))
    assert torch.allclose(output.losses["perceptual"], 0.25 * distance.mean())
    fewer = build(replace(config, perceptual_share=0.5)).generator(BATCH, None)
    assert torch.allclose(fewer.losses["perceptual"], 0.25 * distance[:2].mean())


@torch.no_grad()
def test_the_face_meshs_landmarks_are_compared():
    output = build(replace(PLAIN, landmark_weight=3.0)).generator(BATCH, None)
    jitter = draw_jitter(BATCH["seed"])
    assert jitter.abs().amax(0).tolist() <= [WINDOW_TURN, WINDOW_ZOOM] and jitter.unique().numel() == 8
    mesh, landmarks = load_face_mesh(), BATCH["landmarks"]
    distance = landmark_distance(mesh, BATCH["coarse"], BATCH["driving"], landmarks, jitter)
    assert torch.allclose(output.losses["landmarks"], 3 * distance.mean()) and distance.min() > 0


@torch.no_grad()
def test_the_discriminator_judges_the_predicted_picture():
    objective = build(replace(OBJECTIVE, adversarial_weight=0.5))
    assert isinstance(objective.discriminator, Discriminator) and objective.discriminator.loss == "hinge"
    objective.discriminator.eval()
    output = objective.generator(BATCH, objective.discriminator)
    scores = [judgement.scores.mean() for judgement in objective.discriminator.judge(BATCH["coarse"])]
    assert torch.allclose(output.losses["adversarial"], -0.5 * torch.stack(scores).sum())
    judged = objective.discriminator(BATCH, output.pictures)
    assert judged.keys() == {"discriminator_real", "discriminator_fake"}


@torch.no_grad()
def test_a_samples_noise_and_step_are_its_own():
    config = replace(PLAIN, last_step_share=0.3, driving_appearance=0.5, picture_weight=1.0)
    training = make_it_answer(build(config)).generator
    whole, halves = training(BATCH, None), [training(part(0, 2), None), training(part(2, 4), None)]
    for name, picture in whole.pictures.items():
        assert torch.allclose(picture, torch.cat([half.pictures[name] for half in halves]), atol=1e-5)
    for name, loss in whole.losses.items():
        assert torch.allclose(loss, (halves[0].losses[name] + halves[1].losses[name]) / 2, rtol=1e-4)
    other = training(BATCH | {"seed": BATCH["seed"] + 1}, None)
    assert not torch.allclose(whole.pictures["prediction"], other.pictures["prediction"], atol=1e-3)


@pytest.mark.parametrize(("share", "fewest", "most"), [(0.0, 10, 50), (0.5, 130, 200), (1.0, 300, 300)])
def test_the_last_step_has_its_share(share, fewest, most, monkeypatch):
    training = build(replace(PLAIN, last_step_share=share)).generator
    small = {name: tensor[:1, ..., :8, :8] if tensor.ndim == 4 else tensor[:1] for name, tensor in BATCH.items()}
    batch = {name: tensor.expand(300, *tensor.shape[1:]) for name, tensor in small.items()} | {
        "seed": torch.arange(300)
    }
    t, eps, _ = training._draw(batch)
    assert fewest <= int((t == 9).sum()) <= most  # of 10 steps
    if share < 1:
        assert set(t.tolist()) == set(range(10))
    assert eps.shape == (300, 3, 8, 8) and float(eps.std()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("share", "is_zero"), [(0.0, True), (1.0, False)])
@torch.no_grad()
def test_the_appearance_is_the_coarse_or_the_driving_frames(share, is_zero):
    output = build(replace(PLAIN, driving_appearance=share)).generator(BATCH, None)
    assert (output.losses["color"] == 0) == is_zero


def test_every_weight_is_learned_and_no_feature():
    config = replace(OBJECTIVE, perceptual_weight=1.0, driving_appearance=0.5)
    objective = make_it_answer(build(config))
    output = objective.generator(BATCH, objective.discriminator)
    torch.stack(list(output.losses.values())).sum().backward()
    idle = [name for name, p in objective.generator.named_parameters() if p.requires_grad and p.grad is None]
    assert idle == []
    assert not any(p.requires_grad for p in objective.generator.features.parameters())
    assert objective.networks["fadm"] is objective.generator.renderer
