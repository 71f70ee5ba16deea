"""The noise schedule and the forward process (paper, section 3.2; DDPM, Ho et al. 2020).

A schedule is one tensor, alphas_cumprod (T,) in float64; all other coefficients follow from it.
"""

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from fadm.errors import OptionError

ScheduleName = Literal["linear", "linear_unscaled", "cosine"]
PredictionType = Literal["eps", "x0", "v"]


def linear_schedule(num_steps: int, *, scaled: bool = True) -> Tensor:
    """Make the schedule of betas that rise linearly from 1e-4 to 0.02 (DDPM, section 4).

    Args:
        num_steps: Number of timesteps.
        scaled: Whether both ends are multiplied by 1000 / num_steps, as in the released code, so that a short
            schedule destroys as much of the picture as DDPM's 1000 steps.

    Returns:
        alphas_cumprod (num_steps,), float64.

    Raises:
        OptionError: A scaled schedule has 20 timesteps or fewer.
    """
    scale = 1000 / num_steps if scaled else 1.0
    if scale * 0.02 >= 1:
        raise OptionError(f"a scaled linear schedule needs more than 20 timesteps, {num_steps} were given")
    betas = torch.linspace(scale * 1e-4, scale * 0.02, num_steps, dtype=torch.float64)
    return torch.cumprod(1 - betas, dim=0)


def cosine_schedule(num_steps: int) -> Tensor:
    """Make the cosine schedule, betas at most 0.999 (Nichol & Dhariwal 2021, eq. 17).

    Args:
        num_steps: Number of timesteps.

    Returns:
        alphas_cumprod (num_steps,), float64.
    """
    s = 0.008
    u = torch.arange(num_steps + 1, dtype=torch.float64) / num_steps
    f = torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2
    betas = (1 - f[1:] / f[:-1]).clamp(max=0.999)
    return torch.cumprod(1 - betas, dim=0)


def make_schedule(name: str, num_steps: int) -> Tensor:
    """Make a schedule by its name.

    Args:
        name: `linear`, `linear_unscaled` or `cosine`.
        num_steps: Number of timesteps, at least 1.

    Returns:
        alphas_cumprod (num_steps,), float64.

    Raises:
        OptionError: The name is unknown, or the number of timesteps is out of range.
    """
    if num_steps < 1:
        raise OptionError(f"a schedule needs at least 1 timestep, {num_steps} were given")
    if name == "linear":
        return linear_schedule(num_steps)
    if name == "linear_unscaled":
        return linear_schedule(num_steps, scaled=False)
    if name == "cosine":
        return cosine_schedule(num_steps)
    raise OptionError(f"schedule {name!r} is unknown; choose linear, linear_unscaled or cosine")


def alpha_sigma(schedule: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Look up the weights of picture and noise: sqrt(alphas_cumprod) and sqrt(1 - alphas_cumprod).

    Args:
        schedule: alphas_cumprod (T,).
        t: Timesteps (B,), int64.

    Returns:
        The two weights, each (B, 1, 1, 1), float32.
    """
    alphas_cumprod = schedule[t.to(schedule.device)]
    alpha, sigma = alphas_cumprod.sqrt(), (1 - alphas_cumprod).sqrt()
    return alpha.float().view(-1, 1, 1, 1).to(t.device), sigma.float().view(-1, 1, 1, 1).to(t.device)


def q_sample(x0: Tensor, t: Tensor, eps: Tensor, schedule: Tensor) -> Tensor:
    """Add noise to a picture: sample x_t from q(x_t | x0) (DDPM eq. 4).

    Args:
        x0: Pictures (B, C, H, W).
        t: Timesteps (B,), int64.
        eps: Standard normal noise (B, C, H, W).
        schedule: alphas_cumprod (T,).

    Returns:
        Noised pictures x_t (B, C, H, W).
    """
    alpha, sigma = alpha_sigma(schedule, t)
    return alpha * x0 + sigma * eps


def posterior(x0: Tensor, x_t: Tensor, t: int, t_previous: int, schedule: Tensor) -> tuple[Tensor, float]:
    """Compute mean and variance of q(x_{t_previous} | x_t, x0) (DDPM eqs. 6 and 7).

    For steps that are not neighbours, the alpha_t and beta_t of the equations are those of the whole stride.

    Args:
        x0: Pictures (B, C, H, W).
        x_t: Noised pictures (B, C, H, W) at t.
        t: The timestep.
        t_previous: Any earlier timestep, or -1 for the clean picture.
        schedule: alphas_cumprod (T,).

    Returns:
        Mean (B, C, H, W) and variance.
    """
    alpha_bar, alpha_bar_previous = alphas_cumprod_at(schedule, t), alphas_cumprod_at(schedule, t_previous)
    alpha = alpha_bar / alpha_bar_previous
    beta = 1 - alpha
    from_x0 = math.sqrt(alpha_bar_previous) * beta / (1 - alpha_bar)
    from_x_t = math.sqrt(alpha) * (1 - alpha_bar_previous) / (1 - alpha_bar)
    variance = beta * (1 - alpha_bar_previous) / (1 - alpha_bar)
    return from_x0 * x0 + from_x_t * x_t, variance


def alphas_cumprod_at(schedule: Tensor, t: int) -> float:
    """Look up alphas_cumprod at one timestep.

    Args:
        schedule: alphas_cumprod (T,).
        t: The timestep, or -1 for the clean picture.

    Returns:
        The value, 1 for the clean picture.
    """
    return 1.0 if t < 0 else float(schedule[t])


def prediction_target(x0: Tensor, eps: Tensor, t: Tensor, schedule: Tensor, prediction: str) -> Tensor:
    """Compute the target of a network.

    Args:
        x0: Pictures (B, C, H, W).
        eps: Their noise (B, C, H, W).
        t: Timesteps (B,), int64.
        schedule: alphas_cumprod (T,).
        prediction: What the network predicts: `eps` (the paper's loss), `x0`, or `v` (Salimans & Ho 2022, section 4).

    Returns:
        The target (B, C, H, W).

    Raises:
        OptionError: The prediction is unknown.
    """
    if prediction == "eps":
        return eps
    if prediction == "x0":
        return x0
    if prediction == "v":
        alpha, sigma = alpha_sigma(schedule, t)
        return alpha * eps - sigma * x0
    raise OptionError(f"prediction {prediction!r} is unknown; choose {', '.join(get_args(PredictionType))}")


def x0_from_output(output: Tensor, x_t: Tensor, t: Tensor, schedule: Tensor, prediction: str) -> Tensor:
    """Compute the x0 that a network output implies; the inverse of `prediction_target`.

    Args:
        output: Network output (B, C, H, W).
        x_t: Noised pictures (B, C, H, W) that the network was given.
        t: Timesteps (B,), int64.
        schedule: alphas_cumprod (T,).
        prediction: What the network predicts: `eps`, `x0` or `v`.

    Returns:
        The estimate of x0 (B, C, H, W).

    Raises:
        OptionError: The prediction is unknown.
    """
    alpha, sigma = alpha_sigma(schedule, t)
    if prediction == "eps":
        return (x_t - sigma * output) / alpha
    if prediction == "x0":
        return output
    if prediction == "v":
        return alpha * x_t - sigma * output
    raise OptionError(f"prediction {prediction!r} is unknown; choose {', '.join(get_args(PredictionType))}")
