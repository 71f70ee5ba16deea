import pytest
import torch

from fadm.diffusion.schedule import (
    alphas_cumprod_at,
    cosine_schedule,
    linear_schedule,
    make_schedule,
    posterior,
    prediction_target,
    q_sample,
    x0_from_output,
)
from fadm.errors import OptionError
from tests.reference import load_case, normal, relative_error, uniform

SHAPE = (2, 3, 64, 64)


def test_linear_schedule_is_the_released_one():
    expected = load_case("fadm_tiny").expected
    schedule = linear_schedule(50)
    assert relative_error(schedule.float(), expected["alphas_cumprod"]) < 1e-6
    betas = 1 - schedule / torch.cat((torch.ones(1), schedule[:-1]))
    assert relative_error(betas.float(), expected["betas"]) < 1e-6


def test_unscaled_linear_schedule_keeps_the_ends():
    schedule = linear_schedule(100, scaled=False)
    assert float(1 - schedule[0]) == pytest.approx(1e-4)
    assert float(1 - schedule[-1] / schedule[-2]) == pytest.approx(0.02)


def test_cosine_schedule_follows_its_curve():
    schedule = cosine_schedule(100)
    u = torch.tensor([0.0, 0.5], dtype=torch.float64)
    start, middle = torch.cos((u + 0.008) / 1.008 * torch.pi / 2) ** 2
    assert float(schedule[49]) == pytest.approx(float(middle / start))
    assert (schedule.diff() < 0).all() and schedule[-1] > 0


def test_q_sample_is_the_released_one():
    case = load_case("fadm_tiny")
    x_t = q_sample(
        uniform("fadm_tiny/x_0", SHAPE), case.expected["t"], normal("fadm_tiny/noise", SHAPE), linear_schedule(50)
    )
    assert relative_error(x_t, case.expected["q_sample"]) < 1e-5


@pytest.mark.parametrize(("t", "t_previous"), [(20, 19), (20, 5), (20, -1)])
def test_posterior_is_the_product_of_both_gaussians(t, t_previous):
    schedule = linear_schedule(50)
    x0, x_t = normal("x0", (1, 3, 4, 4)).double(), normal("x_t", (1, 3, 4, 4)).double()
    mean, variance = posterior(x0, x_t, t, t_previous, schedule)
    if t_previous < 0:
        assert variance == 0 and torch.allclose(mean, x0)
        return
    forward, prior = alphas_cumprod_at(schedule, t_previous), alphas_cumprod_at(schedule, t)
    alpha = prior / forward  # x_t given x_previous: mean sqrt(alpha) x_previous, variance 1 - alpha
    precision = alpha / (1 - alpha) + 1 / (1 - forward)
    expected = (x_t * alpha**0.5 / (1 - alpha) + x0 * forward**0.5 / (1 - forward)) / precision
    assert variance == pytest.approx(1 / precision)
    assert torch.allclose(mean, expected)


@pytest.mark.parametrize("prediction", ["eps", "x0", "v"])
def test_a_perfect_answer_gives_x0_back(prediction):
    schedule, t = linear_schedule(50), torch.tensor([3, 30])
    x0, eps = normal("x0", (2, 3, 4, 4)), normal("eps", (2, 3, 4, 4))
    target = prediction_target(x0, eps, t, schedule, prediction)
    x_t = q_sample(x0, t, eps, schedule)
    assert torch.allclose(x0_from_output(target, x_t, t, schedule, prediction), x0, atol=1e-4)


def test_unusable_choices_are_named():
    with pytest.raises(OptionError, match="'quadratic' is unknown"):
        make_schedule("quadratic", 50)
    with pytest.raises(OptionError, match="more than 20 timesteps"):
        make_schedule("linear", 20)
    with pytest.raises(OptionError, match="'score' is unknown"):
        x0_from_output(torch.zeros(1), torch.zeros(1), torch.tensor([0]), linear_schedule(50), "score")
