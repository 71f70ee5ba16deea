"""The paper's renderer: conditioner and denoiser, which share one time embedding (FADM, figure 2)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from fadm.conditioning.agcn import (
    AttributeGuidedConditioner,
    ConditionerConfig,
    ConditionFeatures,
    color_loss,
)
from fadm.conditioning.conditions import Conditions
from fadm.device import autocast, choose_dtype
from fadm.diffusion.blocks import TimeEmbedding
from fadm.diffusion.loss import ErrorName, measure_error
from fadm.diffusion.sampling import (
    NoiseFunction,
    sample_ddim,
    sample_ddpm,
    sample_dpm_solver,
    spaced_timesteps,
    video_noise,
)
from fadm.diffusion.schedule import (
    Prediction,
    ScheduleName,
    make_schedule,
    prediction_target,
    q_sample,
    x0_from_output,
)
from fadm.diffusion.unet import UNet, UNetConfig
from fadm.errors import ConfigError, OptionError


@dataclass(frozen=True, kw_only=True)
class RendererConfig:
    """What the weights of a renderer are made for."""

    unet: UNetConfig = UNetConfig()
    conditioner: ConditionerConfig = ConditionerConfig()
    schedule: ScheduleName = "linear"
    timesteps: int = 100
    prediction: Prediction = "eps"


@dataclass(frozen=True, kw_only=True)
class LossOptions:
    """How a renderer is trained: error of the denoiser, error and weight of the colour loss."""

    denoising: ErrorName = "squared"
    color: ErrorName = "squared"
    color_weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class RenderOptions:
    """How a renderer renders.

    eta: noise of DDIM, 0 to 1. clip: range to which each estimate of x0 is limited. strength: share of the
    noise that the walk starts with; 1 starts from noise alone, less from the noised coarse frame.
    shared_noise: all frames of a video have the same noise. attributes_from: the picture whose attributes are
    taken for the driving ones. precision: of the networks, `auto` is bfloat16 where the device has it.
    """

    sampler: Literal["ddpm", "ddim", "dpm_solver"] = "ddpm"
    num_steps: int = 100
    eta: float = 1.0
    clip: tuple[float, float] | None = None
    strength: float = 1.0
    shared_noise: bool = False
    attributes_from: Literal["driving", "coarse"] = "driving"
    seed: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


@dataclass(frozen=True)
class RendererLoss:
    """Scalars: `total` is `denoising` plus the weighted `color`."""

    total: Tensor
    denoising: Tensor
    color: Tensor


class DiffusionRenderer(nn.Module):
    """Renders coarse frames again, guided by their colours and by the attributes (paper, section 3.2)."""

    def __init__(self, config: RendererConfig) -> None:
        super().__init__()
        _check(config)
        self.config = config
        self.schedule = make_schedule(config.schedule, config.timesteps)
        self.time_embedding = TimeEmbedding(config.unet.channels)
        self.conditioner = AttributeGuidedConditioner(config.conditioner)
        self.unet = UNet(config.unet)
        # the layout in which convolutions are fastest; PyTorch's own annotations lack this keyword
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x_t: Tensor, t: Tensor, conditions: Conditions) -> Tensor:
        """x_t (B, 3, H, W), t (B,) int64 -> the configured prediction (B, 3, H, W)."""
        return self.denoise(x_t, t, self.conditioner.encode(conditions))

    def denoise(self, x_t: Tensor, t: Tensor, features: ConditionFeatures) -> Tensor:
        """As `forward`, from features that were encoded before: z_d(x_t, t, P_cond(a, m, t)) of the paper."""
        time = self.time_embedding(t)  # (B, channels)
        condition = self.conditioner.fuse(features, time)  # (B, 3, H, W)
        return self.unet(torch.cat((condition, x_t.to(condition.dtype)), dim=1), time)

    def loss(self, x0: Tensor, t: Tensor, eps: Tensor, conditions: Conditions, options: LossOptions) -> RendererLoss:
        """The paper's loss for pictures x0 and noise eps (B, 3, H, W) at t (B,) int64, plus L_color."""
        features = self.conditioner.encode(conditions)
        output = self.denoise(q_sample(x0, t, eps, self.schedule), t, features)
        target = prediction_target(x0, eps, t, self.schedule, self.config.prediction)
        denoising = measure_error(options.denoising, output, target)
        color = color_loss(features, options.color)
        return RendererLoss(denoising + options.color_weight * color, denoising, color)

    def render(self, conditions: Conditions, options: RenderOptions, first_frame: int = 0) -> Tensor:
        """Render B successive frames of a video -> (B, 3, H, W) in [0, 1]; the same seed gives the same video.

        first_frame: the number of the batch's first frame in its video, for the noise. Raises OptionError for
        options out of range.
        """
        B, *size = conditions.coarse.shape
        frames = range(first_frame, first_frame + B)
        noise = video_noise(options.seed, frames, (size[0], size[1], size[2]), shared=options.shared_noise)
        device = conditions.coarse.device
        return self.sample(conditions, options, lambda t: noise(t).to(device)).clamp(0, 1)

    @torch.inference_mode()
    def sample(self, conditions: Conditions, options: RenderOptions, noise_fn: NoiseFunction) -> Tensor:
        """The sampling loop with the given noise: conditions of B frames -> x0 (B, 3, H, W), not limited.

        noise_fn: t -> noise (B, 3, H, W) of the step that leaves t; that of t = config.timesteps is x_T.
        """
        device = conditions.coarse.device
        context = autocast(device, choose_dtype(device, options.precision))
        with context:
            features = self.conditioner.encode(conditions)

        def predict(x_t: Tensor, step: int) -> Tensor:
            t = torch.full((x_t.shape[0],), step, device=device)
            with context:
                output = self.denoise(x_t, t, features)
            x0 = x0_from_output(output.float(), x_t, t, self.schedule, self.config.prediction)
            return x0 if options.clip is None else x0.clamp(*options.clip)

        timesteps = spaced_timesteps(options.num_steps, self.config.timesteps, options.strength)
        x = noise_fn(self.config.timesteps)
        if options.strength < 1:
            t = torch.full((x.shape[0],), timesteps[0], device=device)
            x = q_sample(conditions.coarse, t, x, self.schedule)
        if options.sampler == "ddpm":
            return sample_ddpm(predict, x, self.schedule, timesteps, noise_fn)
        if options.sampler == "ddim":
            return sample_ddim(predict, x, self.schedule, timesteps, noise_fn, options.eta)
        if options.sampler == "dpm_solver":
            return sample_dpm_solver(predict, x, self.schedule, timesteps)
        raise OptionError(f"sampler {options.sampler!r} is unknown; choose ddpm, ddim or dpm_solver")


def _check(config: RendererConfig) -> None:
    unet, conditioner = config.unet, config.conditioner
    if conditioner.time_channels != unet.channels:
        raise ConfigError(
            f"conditioner.time_channels {conditioner.time_channels} must equal unet.channels {unet.channels}, "
            "since both read one time embedding"
        )
    if unet.in_channels != unet.out_channels + 3:
        raise ConfigError(
            f"unet.in_channels {unet.in_channels} must be unet.out_channels {unet.out_channels} plus the condition's 3"
        )
