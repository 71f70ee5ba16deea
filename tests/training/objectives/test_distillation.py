from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from fadm.diffusion.sampling import sample_ddim, spaced_timesteps
from fadm.diffusion.schedule import alpha_sigma, make_schedule, prediction_target, x0_from_output
from fadm.diffusion.unet import UNetConfig
from fadm.errors import ConfigError, OptionError
from fadm.rendering.conditioner import ConditionerConfig
from fadm.rendering.conditions import inference_conditions
from fadm.rendering.options import RendererConfig, RenderOptions
from fadm.rendering.renderer import DiffusionRenderer
from fadm.training.objectives.distillation import (
    DistillationConfig,
    DistillationLosses,
    DistillationStages,
    build_distillation_objective,
)
from fadm.training.objectives.distillation_targets import plan_targets, weigh_steps
from tests.reference import normal, uniform

SHAPE = (2, 3, 8, 8)
SMALL = RendererConfig(
    unet=UNetConfig(channels=16, multipliers=(1,), residual_blocks=1, attention_levels=(), norm_groups=8),
    conditioner=ConditionerConfig(time_channels=16, channels=4, kernel_size=3),
    schedule="cosine",
    timesteps=24,
    prediction="v",
)
KINDS = [(prediction, target) for prediction in ("eps", "x0", "v") for target in ("picture", "correction")]
BATCH = {
    "source": uniform("source", SHAPE),
    "driving": uniform("driving", SHAPE),
    "coarse": uniform("coarse", SHAPE),
    "attention": uniform("attention", (2, 1, 8, 8)),
    "attributes_source": normal("attributes_source", (2, 56)),
    "attributes_driving": normal("attributes_driving", (2, 56)),
    "seed": torch.tensor([3, 4]),
}
CONDITIONS = inference_conditions(
    BATCH["coarse"], BATCH["attributes_source"], BATCH["attributes_driving"], BATCH["source"]
)


class Omniscient(DiffusionRenderer):
    """Answers what the true x0 implies, whatever it is shown."""

    truth: torch.Tensor

    def denoise(self, x_t, t, features):
        alpha, sigma = alpha_sigma(self.schedule, t)
        eps = (x_t - alpha * self.truth) / sigma
        return prediction_target(self.truth, eps, t, self.schedule, self.config.prediction)


def make_teacher(**changes):
    """A renderer whose answers differ from step to step."""
    torch.manual_seed(0)
    teacher = DiffusionRenderer(replace(SMALL, **changes))
    with torch.no_grad():
        for parameter in teacher.unet.head.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return teacher


def make_training(teacher, teacher_steps, student_steps, *, clip=None, **losses):
    config = DistillationConfig(
        teacher_steps=teacher_steps, student_steps=student_steps, clip=clip, losses=DistillationLosses(**losses)
    )
    return build_distillation_objective(config, teacher).generator


def ask(renderer):
    """The renderer as samplers ask it."""
    features = renderer.encode(CONDITIONS)

    def predict(x_t, step):
        t = torch.full((len(x_t),), step)
        return x0_from_output(renderer.denoise(x_t, t, features), x_t, t, renderer.schedule, renderer.config.prediction)

    return predict


@pytest.mark.parametrize(("prediction", "target"), KINDS)
def test_what_an_omniscient_teacher_teaches_is_the_truth(prediction, target):
    teacher = Omniscient(replace(SMALL, prediction=prediction, target=target))
    teacher.truth = normal("truth", SHAPE)
    training = make_training(teacher, 8, 2)
    for interval in (0, 1):
        t = torch.full((2,), interval)
        made = training.sample_target(normal("x_t", SHAPE), t, teacher.encode(CONDITIONS), BATCH["coarse"])
        torch.testing.assert_close(made, teacher.truth, atol=2e-3, rtol=0)


@pytest.mark.parametrize(("prediction", "target"), KINDS)
def test_a_student_with_its_teachers_steps_has_nothing_to_learn(prediction, target):
    teacher = make_teacher(prediction=prediction, target=target)
    training = make_training(teacher, 6, 6, picture_weight=1.0)
    losses = training(BATCH, None).losses
    assert losses["denoising"] == 0 and losses["picture"] == 0


@pytest.mark.parametrize("clip", [None, (0.0, 1.0)])
@pytest.mark.parametrize(("prediction", "target"), KINDS)
@torch.no_grad()
def test_steps_to_the_targets_are_the_teachers_walk(prediction, target, clip):
    teacher = make_teacher(prediction=prediction, target=target)
    training, features = make_training(teacher, 12, 3, clip=clip), teacher.encode(CONDITIONS)
    grid = spaced_timesteps(3, 24)

    def step_to_target(x_t, step):
        return training.sample_target(x_t, torch.full((2,), grid.index(step)), features, BATCH["coarse"])

    noise = normal("noise", SHAPE)
    few = sample_ddim(step_to_target, noise, teacher.schedule, grid, lambda t: noise)
    options = RenderOptions(sampler="ddim", num_steps=12, eta=0.0, clip=clip, precision="float32")
    many = teacher.sample(CONDITIONS, options, lambda t: noise).pictures
    torch.testing.assert_close(teacher.to_picture(few, BATCH["coarse"]), many, atol=1e-3, rtol=1e-4)


@torch.no_grad()
def test_the_inverted_step_is_the_papers_for_teachers_with_any_steps():
    teacher = make_teacher()
    training, predict = make_training(teacher, 8, 3), ask(teacher)
    first, last = spaced_timesteps(3, 24)[:2]
    walk = [first, *(t for t in spaced_timesteps(8, 24) if last < t < first), last]
    x_first = x = normal("x", SHAPE)
    for t, t_next in pairwise(walk):
        (alpha, sigma), (alpha_next, sigma_next) = (
            alpha_sigma(teacher.schedule, torch.tensor([u])) for u in (t, t_next)
        )
        x0 = predict(x, t)
        x = alpha_next * x0 + sigma_next * (x - alpha * x0) / sigma
    (alpha, sigma), (alpha_last, sigma_last) = (alpha_sigma(teacher.schedule, torch.tensor([u])) for u in (first, last))
    expected = (x - sigma_last / sigma * x_first) / (alpha_last - sigma_last / sigma * alpha)
    made = training.sample_target(x_first, torch.tensor([0, 0]), teacher.encode(CONDITIONS), BATCH["coarse"])
    torch.testing.assert_close(made, expected, atol=1e-4, rtol=1e-4)


def test_walks_of_different_lengths():
    steps, shares = plan_targets(make_schedule("cosine", 24), 5, 3)  # 23 18 13 9 4 for 23 15 7
    assert steps.tolist() == [[23, 23, 18], [15, 13, 9], [7, 7, 4]]
    assert shares[0, 0] == 0 and shares[1, 0] > 0
    torch.testing.assert_close(shares.sum(1), torch.ones(3))
    assert shares[2].tolist() == [0, 0, 1]


def test_the_student_begins_where_sampling_does(monkeypatch):
    training = make_training(make_teacher(prediction="x0"), 4, 1)
    seen = []
    original = training.student.denoise
    monkeypatch.setattr(training.student, "denoise", lambda x, t, f: seen.append((x, t)) or original(x, t, f))
    first = training(BATCH, None)
    again = training({**BATCH, "driving": 1 - BATCH["driving"]}, None)
    (x, t), (x_again, _) = seen
    assert t.tolist() == [23, 23]
    assert torch.equal(x, x_again)  # noise alone, nothing of the driving frame
    assert torch.equal(first.pictures["prediction"], again.pictures["prediction"])


def test_losses_are_shared_between_teacher_and_truth():
    teacher = make_teacher()
    options = {"picture_weight": 2.0, "attention_weight": 3.0}
    by_share = [make_training(teacher, 8, 2, real_weight=share, **options)(BATCH, None) for share in (0.0, 0.25, 1.0)]
    taught, mixed, real = (float(output.losses["picture"].detach()) for output in by_share)
    assert mixed == pytest.approx(0.75 * taught + 0.25 * real)
    pictures = by_share[2].pictures
    error = (pictures["prediction"] - pictures["driving"]).abs() * (1 + 3 * BATCH["attention"])
    assert real == pytest.approx(2 * float(error.mean().detach()))
    assert taught > 0


def test_the_perceptual_distance_counts():
    teacher = make_teacher()
    batch = BATCH | {name: uniform(name, (2, 3, 32, 32)) for name in ("source", "driving", "coarse")}
    batch["attention"] = torch.zeros(2, 1, 32, 32)
    losses = {"perceptual_weight": 1.0, "perceptual_strides": (2, 4)}
    assert make_training(teacher, 4, 4, **losses)(batch, None).losses["perceptual"] < 1e-4
    training = make_training(teacher, 8, 2, denoising_weight=0.0, **losses)
    output = training(batch, None)
    sum(output.losses.values()).backward()
    assert output.losses["perceptual"] > 1e-4
    assert all(p.grad is None for p in training.teacher.parameters())
    assert training.student.unet.head.conv.weight.grad.abs().sum() > 0


def test_weights_of_the_steps():
    schedule, t = torch.tensor([0.9, 0.2], dtype=torch.float64), torch.tensor([0, 1])
    weights = {name: weigh_steps(schedule, t, name).flatten().tolist() for name in ("snr", "truncated_snr", "uniform")}
    assert weights["snr"] == pytest.approx([9, 0.25], rel=1e-4)
    assert weights["truncated_snr"] == pytest.approx([9, 1], rel=1e-4)
    assert weights["uniform"] == [1, 1]
    torch.testing.assert_close(weigh_steps(schedule, t, "snr_plus_one"), weigh_steps(schedule, t, "snr") + 1)


def test_one_step_approaches_the_teachers_eight():
    teacher = make_teacher(prediction="x0")
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    objective = build_distillation_objective(
        DistillationConfig(teacher_steps=8, student_steps=1, losses=DistillationLosses(picture_weight=1.0)), teacher
    )
    training = objective.generator
    trained = [p for p in training.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-3)
    losses = []
    for _ in range(40):
        loss = sum(training(BATCH, None).losses.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 10
    output = training(BATCH, None)
    student = objective.networks["fadm"]
    noise = training._draw(BATCH)[1]
    options = RenderOptions(sampler="ddim", eta=0.0, precision="float32")
    eight = teacher.sample(CONDITIONS, replace(options, num_steps=8), lambda t: noise).pictures
    one, untaught = (
        network.sample(CONDITIONS, replace(options, num_steps=1), lambda t: noise).pictures
        for network in (student, teacher)
    )
    torch.testing.assert_close(output.pictures["teacher"], eight, atol=1e-4, rtol=1e-4)
    assert (one - eight).abs().mean() < 0.2 * (untaught - eight).abs().mean()
    assert all(torch.equal(tensor, before[name]) for name, tensor in teacher.state_dict().items())


def test_the_teacher_stays_in_evaluation_mode():
    training = make_training(make_teacher(), 4, 2).train()
    assert training.student.training and not training.teacher.training
    assert not any(p.requires_grad for p in training.teacher.parameters())


def test_stages_follow_each_other():
    stages = DistillationStages(teacher_steps=100, steps=(20, 4, 1), clip=(0.0, 1.0)).configs()
    assert [(stage.teacher_steps, stage.student_steps) for stage in stages] == [(100, 20), (20, 4), (4, 1)]
    assert all(stage.clip == (0.0, 1.0) for stage in stages)


def test_mistakes():
    with pytest.raises(ConfigError, match=r"steps \(4, 20\) must fall from stage to stage"):
        DistillationStages(steps=(4, 20))
    with pytest.raises(ConfigError, match="student_steps 8 must be at least 1 and at most teacher_steps 4"):
        DistillationConfig(teacher_steps=4, student_steps=8)
    with pytest.raises(ConfigError, match=r"real_weight 1\.5: give a number from 0 to 1"):
        DistillationConfig(losses=DistillationLosses(real_weight=1.5))
    with pytest.raises(OptionError, match="100 sampling steps are not possible; choose 1 to 24"):
        build_distillation_objective(DistillationConfig(), make_teacher())
