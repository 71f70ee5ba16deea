import math

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

from fadm.diffusion.sampling import sample_ddim, sample_ddpm, sample_dpm_solver, spaced_timesteps, video_noise
from fadm.diffusion.schedule import linear_schedule
from fadm.errors import OptionError
from tests.reference import normal, relative_error

SHAPE = (1, 3, 8, 8)
TOTAL = 60
SCHEDULE = linear_schedule(TOTAL)
BETAS = torch.linspace(1e-4 * 1000 / TOTAL, 0.02 * 1000 / TOTAL, TOTAL, dtype=torch.float64).numpy()
X_T = normal("x_T", SHAPE).double()


def noise_fn(t):
    return normal(f"noise/{t}", SHAPE).double()


def answer_eps(x, t):
    return torch.tanh(x + t / TOTAL)


def predict(x, t):
    alpha_bar = SCHEDULE[t]
    return (x - (1 - alpha_bar).sqrt() * answer_eps(x, t)) / alpha_bar.sqrt()


def run_diffusers(scheduler, num_steps, **options):
    scheduler.set_timesteps(num_steps)
    x = X_T
    for t in scheduler.timesteps.tolist():
        noise = {"variance_noise": noise_fn(t)} if options else {}
        x = scheduler.step(answer_eps(x, t), t, x, **options, **noise).prev_sample
    return scheduler.timesteps.tolist(), x


@pytest.mark.parametrize("num_steps", [60, 12, 5, 1])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ddim_agrees_with_diffusers(num_steps, eta):
    oracle = DDIMScheduler(TOTAL, trained_betas=BETAS, clip_sample=False, timestep_spacing="trailing")
    timesteps, expected = run_diffusers(oracle, num_steps, eta=eta)
    assert spaced_timesteps(num_steps, TOTAL) == timesteps
    assert relative_error(sample_ddim(predict, X_T, SCHEDULE, timesteps, noise_fn, eta), expected) < 1e-4


@pytest.mark.parametrize("num_steps", [30, 12, 5, 2, 1])
def test_dpm_solver_agrees_with_diffusers(num_steps):
    oracle = DPMSolverMultistepScheduler(
        TOTAL, trained_betas=BETAS, timestep_spacing="trailing", final_sigmas_type="zero"
    )
    timesteps, expected = run_diffusers(oracle, num_steps)
    assert relative_error(sample_dpm_solver(predict, X_T, SCHEDULE, timesteps), expected) < 1e-4


def test_ddpm_mean_agrees_with_diffusers():
    oracle = DDPMScheduler(TOTAL, trained_betas=BETAS, clip_sample=False, timestep_spacing="trailing")
    oracle._get_variance = lambda *_, **__: torch.zeros(())
    timesteps, expected = run_diffusers(oracle, 12)
    actual = sample_ddpm(predict, X_T, SCHEDULE, timesteps, lambda t: torch.zeros(SHAPE))
    assert relative_error(actual, expected) < 1e-4


@pytest.mark.parametrize("num_steps", [60, 7])
def test_ddpm_is_ddim_with_all_the_noise(num_steps):
    timesteps = spaced_timesteps(num_steps, TOTAL)
    ddpm = sample_ddpm(predict, X_T, SCHEDULE, timesteps, noise_fn)
    ddim = sample_ddim(predict, X_T, SCHEDULE, timesteps, noise_fn, eta=1.0)
    assert relative_error(ddpm, ddim) < 1e-6


@pytest.mark.parametrize("name", ["ddim", "dpm_solver"])
def test_many_steps_reach_the_closed_form_of_gaussian_data(name):
    """For data N(0, s^2) the flow from x_T to x_0 is linear: x_0 / s = x_T / sqrt(abar s^2 + 1 - abar)."""
    s, schedule = 0.5, linear_schedule(1000)
    ratio = schedule.sqrt() * s**2 / (schedule * s**2 + 1 - schedule)
    sampler = {
        "ddim": lambda p, steps: sample_ddim(p, X_T, schedule, steps, noise_fn, eta=0.0),
        "dpm_solver": lambda p, steps: sample_dpm_solver(p, X_T, schedule, steps),
    }[name]
    x0 = sampler(lambda x, t: ratio[t] * x, spaced_timesteps(500 if name == "ddim" else 40, 1000))
    start = float(schedule[-1])
    assert relative_error(x0, X_T * s / math.sqrt(start * s**2 + 1 - start)) < 0.02


def test_timesteps_descend_from_the_strength():
    assert spaced_timesteps(4, 100) == [99, 74, 49, 24]
    assert spaced_timesteps(4, 100, strength=0.5) == [49, 24]
    assert spaced_timesteps(1, 100, strength=0.1) == [9]
    assert spaced_timesteps(100, 100) == list(reversed(range(100)))


def test_values_out_of_range_are_named():
    with pytest.raises(OptionError, match="101 sampling steps"):
        spaced_timesteps(101, 100)
    with pytest.raises(OptionError, match=r"strength 1\.5"):
        spaced_timesteps(10, 100, strength=1.5)
    with pytest.raises(OptionError, match=r"eta 2\.0"):
        sample_ddim(predict, X_T, SCHEDULE, [0], noise_fn, eta=2.0)


@pytest.mark.parametrize("shared", [True, False])
def test_video_noise_does_not_depend_on_the_batches(shared):
    whole = video_noise(7, range(4), (3, 2, 2), shared=shared)(5)
    parts = [video_noise(7, frames, (3, 2, 2), shared=shared)(5) for frames in (range(3), range(3, 4))]
    assert torch.equal(whole, torch.cat(parts))
    assert torch.equal(whole[0], whole[3]) == shared
    assert not torch.equal(whole, video_noise(8, range(4), (3, 2, 2), shared=shared)(5))
