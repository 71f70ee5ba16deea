"""From noise to picture: DDPM, DDIM and DPM-Solver++(2M), one function each.

Each sampler needs two functions: `predict(x_t, t)`, the network's estimate of x0 whatever it predicts (eps, x0 or
v), and `noise_fn(t)`, the noise added in the step that leaves t.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from fadm.device import seeded_generator
from fadm.diffusion.schedule import alphas_cumprod_at, posterior
from fadm.errors import OptionError

Predict = Callable[[Tensor, int], Tensor]
NoiseFunction = Callable[[int], Tensor]


def spaced_timesteps(num_steps: int, total: int, strength: float = 1.0) -> list[int]:
    """Space the sampling steps evenly over the schedule.

    Spacing is counted from the noisy end (Lin et al. 2024, table 2), so the first step starts from pure noise.
    A strength under 1 leaves out the steps at or after strength * total (SDEdit, Meng et al. 2022), but never all:
    sampling then starts from a noised picture.

    Args:
        num_steps: Number of steps of the whole schedule, 1 to `total`.
        total: Timesteps of the schedule.
        strength: Share of the schedule that is sampled, above 0, at most 1.

    Returns:
        Timesteps in descending order.

    Raises:
        OptionError: A value is out of range.
    """
    if not 1 <= num_steps <= total:
        raise OptionError(f"{num_steps} sampling steps are not possible; choose 1 to {total}")
    if not 0 < strength <= 1:
        raise OptionError(f"strength {strength} is out of range; choose above 0, at most 1")
    steps = [round(total * (num_steps - i) / num_steps) - 1 for i in range(num_steps)]
    return [t for t in steps if t < strength * total] or [math.ceil(strength * total) - 1]


def video_noise(seed: int, frames: range, size: tuple[int, int, int], *, shared: bool) -> NoiseFunction:
    """Make the noise of some frames of a video.

    The noise depends on the seed, t and the frame alone, so a video is the same however it is cut into batches.

    Args:
        seed: Seed of the video.
        frames: Indices of the frames.
        size: Shape (C, H, W) of one frame.
        shared: Whether all frames have the same noise, the released system's temporal coherence.

    Returns:
        A function from t to the noise (len(frames), C, H, W), on the CPU.
    """

    def draw(t: int) -> Tensor:
        if shared:
            return torch.randn(1, *size, generator=seeded_generator(seed, t)).expand(len(frames), *size)
        return torch.stack([torch.randn(size, generator=seeded_generator(seed, t, frame)) for frame in frames])

    return draw


def sample_ddpm(
    predict: Predict, x: Tensor, schedule: Tensor, timesteps: Sequence[int], noise_fn: NoiseFunction
) -> Tensor:
    """Sample with ancestral sampling (DDPM, algorithm 2).

    Args:
        predict: Estimate of x0 from x_t and t.
        x: Noised pictures (B, C, H, W) at the first timestep, or pure noise at the last of the schedule.
        schedule: alphas_cumprod (T,).
        timesteps: Timesteps in descending order.
        noise_fn: Noise (B, C, H, W) of the step that leaves t.

    Returns:
        The sample x0 (B, C, H, W).
    """
    for t, t_previous in pairwise((*timesteps, -1)):
        x, variance = posterior(predict(x, t), x, t, t_previous, schedule)
        if variance > 0:
            x = x + math.sqrt(variance) * noise_fn(t)
    return x


def sample_ddim(
    predict: Predict,
    x: Tensor,
    schedule: Tensor,
    timesteps: Sequence[int],
    noise_fn: NoiseFunction,
    eta: float = 0.0,
) -> Tensor:
    """Sample with DDIM (Song et al. 2021, eqs. 12 and 16).

    Args:
        predict: Estimate of x0 from x_t and t.
        x: Noised pictures (B, C, H, W) at the first timestep, or pure noise at the last of the schedule.
        schedule: alphas_cumprod (T,).
        timesteps: Timesteps in descending order.
        noise_fn: Noise (B, C, H, W) of the step that leaves t.
        eta: Amount of noise in [0, 1]: 0 is deterministic, 1 adds as much noise as DDPM.

    Returns:
        The sample x0 (B, C, H, W).

    Raises:
        OptionError: `eta` is out of range.
    """
    if not 0 <= eta <= 1:
        raise OptionError(f"eta {eta} is out of range; choose 0 to 1")
    for t, t_previous in pairwise((*timesteps, -1)):
        alpha_bar, alpha_bar_previous = alphas_cumprod_at(schedule, t), alphas_cumprod_at(schedule, t_previous)
        x0 = predict(x, t)
        eps = (x - math.sqrt(alpha_bar) * x0) / math.sqrt(1 - alpha_bar)
        variance = eta**2 * (1 - alpha_bar_previous) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_previous)
        x = math.sqrt(alpha_bar_previous) * x0 + math.sqrt(1 - alpha_bar_previous - variance) * eps
        if variance > 0:
            x = x + math.sqrt(variance) * noise_fn(t)
    return x


def sample_dpm_solver(predict: Predict, x: Tensor, schedule: Tensor, timesteps: Sequence[int]) -> Tensor:
    """Sample with DPM-Solver++(2M), which is deterministic (Lu et al. 2022, algorithm 2).

    The last step leads to the clean picture itself, where the second-order term vanishes.

    Args:
        predict: Estimate of x0 from x_t and t.
        x: Noised pictures (B, C, H, W) at the first timestep, or pure noise at the last of the schedule.
        schedule: alphas_cumprod (T,).
        timesteps: Timesteps in descending order.

    Returns:
        The sample x0 (B, C, H, W).
    """
    x0_before, h_before = None, math.inf
    for t, t_next in pairwise(timesteps):
        (alpha_t, sigma_t), (alpha_s, sigma_s) = _alpha_sigma_at(schedule, t), _alpha_sigma_at(schedule, t_next)
        h = math.log(alpha_s / sigma_s) - math.log(alpha_t / sigma_t)
        x0 = predict(x, t)
        slope = 0 if x0_before is None else (x0 - x0_before) * (h / h_before / 2)
        x = sigma_s / sigma_t * x - alpha_s * math.expm1(-h) * (x0 + slope)
        x0_before, h_before = x0, h
    return predict(x, timesteps[-1])


def _alpha_sigma_at(schedule: Tensor, t: int) -> tuple[float, float]:
    alpha_bar = alphas_cumprod_at(schedule, t)
    return math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar)
