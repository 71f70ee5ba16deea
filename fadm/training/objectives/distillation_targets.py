"""Targets of progressive distillation: the teacher's steps within each step of the student, and the error's weights."""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from fadm.diffusion.sampling import spaced_timesteps
from fadm.diffusion.schedule import alpha_sigma, alphas_cumprod_at
from fadm.errors import ConfigError

Weighting = Literal["uniform", "snr", "truncated_snr", "snr_plus_one"]


def plan_targets(schedule: Tensor, teacher_steps: int, student_steps: int) -> tuple[Tensor, Tensor]:
    """Plan the teacher's steps within each step of the student, and how its estimates are averaged.

    Both sample on `spaced_timesteps`. With r = alpha / sigma a DDIM step (eta 0) from t to u adds (r_u - r_t) x0 to
    x / sigma, so one step in place of several has the mean of their x0, weighted by how much each lets r grow. The
    last step leads to an infinite r: there the last estimate, the picture itself, is the mean.

    Args:
        schedule: alphas_cumprod of each timestep (T,).
        teacher_steps: Sampling steps of the teacher.
        student_steps: Sampling steps of the student, N.

    Returns:
        The teacher's timesteps (N, K) int64, and the share of each estimate (N, K). A step of the student with fewer
        steps of the teacher than others begins with the first one repeated, which leads nowhere.

    Raises:
        OptionError: There are more sampling steps than timesteps.
    """
    total = len(schedule)
    grid = spaced_timesteps(teacher_steps, total)
    paths = [
        [first, *(t for t in grid if last < t < first), last]
        for first, last in pairwise((*spaced_timesteps(student_steps, total), -1))
    ]
    longest = max(len(path) for path in paths)
    paths = [path[:1] * (longest - len(path)) + path for path in paths]
    shares = torch.zeros(len(paths), longest - 1, dtype=torch.float64)
    for number, path in enumerate(paths):
        if path[-1] < 0:
            shares[number, -1] = 1
        else:
            signal = torch.tensor([alphas_cumprod_at(schedule, t) for t in path], dtype=torch.float64)
            growth = (signal / (1 - signal)).sqrt().diff()
            shares[number] = growth / growth.sum()
    return torch.tensor([path[:-1] for path in paths]), shares.float()


def weigh_steps(schedule: Tensor, t: Tensor, weighting: Weighting) -> Tensor:
    """Weight the squared error of x0 at each timestep (Salimans & Ho 2022, section 4).

    Args:
        schedule: alphas_cumprod of each timestep (T,).
        t: Timesteps (B,) int64.
        weighting: A function of the signal-to-noise ratio.

    Returns:
        Weights (B, 1, 1, 1).

    Raises:
        ConfigError: The weighting is unknown.
    """
    alpha, sigma = alpha_sigma(schedule, t)
    ratio = (alpha / sigma).square()
    if weighting == "uniform":
        return torch.ones_like(ratio)
    if weighting == "snr":
        return ratio
    if weighting == "truncated_snr":
        return ratio.clamp(min=1)
    if weighting == "snr_plus_one":
        return ratio + 1
    raise ConfigError(f"losses.weighting {weighting!r} is unknown; choose uniform, snr, truncated_snr or snr_plus_one")
