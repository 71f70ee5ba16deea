"""The paper's renderer: conditioner and denoiser, which share one time embedding (FADM, figure 2)."""

from dataclasses import dataclass, replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fadm.device import autocast, choose_dtype
from fadm.diffusion.blocks import TimeEmbedding, to_patches
from fadm.diffusion.loss import measure_error
from fadm.diffusion.sampling import (
    NoiseFunction,
    Predict,
    sample_ddim,
    sample_ddpm,
    sample_dpm_solver,
    spaced_timesteps,
    video_noise,
)
from fadm.diffusion.schedule import (
    make_schedule,
    prediction_target,
    q_sample,
    x0_from_output,
)
from fadm.diffusion.unet import UNet
from fadm.errors import OptionError
from fadm.rendering.conditioner import (
    AttributeGuidedConditioner,
    ConditionFeatures,
    color_loss,
)
from fadm.rendering.conditions import Conditions
from fadm.rendering.options import LossOptions, RendererConfig, RenderOptions, check_renderer_config
from fadm.rendering.repair import Repair, apply_repair, limit_source_mask, read_repair


@dataclass(frozen=True)
class RendererLoss:
    """The two terms of the paper's training loss (section 3.2), each times its weight.

    Attributes:
        denoising: Error of the prediction, a scalar.
        color: L_color of the appearance features, a scalar.
        picture: Estimate of the clean picture (B, 3, H, W) that the prediction implies.
    """

    denoising: Tensor
    color: Tensor
    picture: Tensor


@dataclass(frozen=True)
class Rendering:
    """B rendered frames.

    Attributes:
        pictures: The frames (B, 3, H, W).
        repair: How they differ from the coarse frames, for a renderer that repairs. It can be applied at a higher
            resolution than the renderer's own.
    """

    pictures: Tensor
    repair: Repair | None


@dataclass(frozen=True)
class RendererFeatures:
    """What all sampling steps of B frames share.

    Attributes:
        condition: Features of the conditioner, if there is one.
        guides: Further inputs of the denoiser, each (B, 3 patch^2, H / patch, W / patch), for the person's
            probabilities (B, 2 patch^2, H / patch, W / patch).
        conditions: The conditions themselves.
    """

    condition: ConditionFeatures | None
    guides: list[Tensor]
    conditions: Conditions


class DiffusionRenderer(nn.Module):
    """Renders coarse frames again, guided by their colours and by the attributes (paper, section 3.2)."""

    def __init__(self, config: RendererConfig) -> None:
        super().__init__()
        check_renderer_config(config)
        self.config = config
        self.schedule = make_schedule(config.schedule, config.timesteps)
        self.time_embedding = TimeEmbedding(config.unet.channels)
        self.conditioner = AttributeGuidedConditioner(config.conditioner) if config.use_condition else None
        self.unet = UNet(config.unet)
        width, attributes = config.unet.channels, config.conditioner.attribute_channels
        self.attributes = nn.Linear(attributes, width) if config.use_attributes else None
        if config.target == "correction":  # an untrained renderer leaves the coarse frame as it is
            nn.init.zeros_(self.unet.head.conv.weight)
            nn.init.zeros_(cast(Tensor, self.unet.head.conv.bias))
        # the layout in which convolutions are fastest; PyTorch's own annotations lack this keyword
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x_t: Tensor, t: Tensor, conditions: Conditions) -> Tensor:
        """Predict noise, velocity or clean picture, as configured.

        Args:
            x_t: Noised pictures or corrections (B, 3, H, W).
            t: Diffusion steps (B,) int64.
            conditions: Conditions of the frames.

        Returns:
            The prediction (B, 3, H, W).

        Raises:
            OptionError: A condition that the renderer needs is missing, or the pictures' size does not fit.
        """
        return self.denoise(x_t, t, self.encode(conditions))

    def encode(self, conditions: Conditions) -> RendererFeatures:
        """Compute the features that all sampling steps share.

        Args:
            conditions: Conditions of B frames.

        Returns:
            The features.

        Raises:
            OptionError: A condition that the renderer needs is missing, or the pictures' size does not fit.
        """
        self.check_size(*conditions.coarse.shape[2:])
        if conditions.source is None and self.config.use_source:
            raise OptionError("this renderer is conditioned on the source picture; none was given")
        if conditions.person is None and self.config.use_person:
            raise OptionError("this renderer is conditioned on where the person is; no such probabilities were given")
        if conditions.contours is None and self.config.use_contours:
            raise OptionError("this renderer draws windows of mouth and eyes; their contours were not given")
        seen = [conditions.coarse] * self.config.use_coarse + [conditions.source] * self.config.use_source
        seen += [conditions.person] * self.config.use_person + [conditions.contours] * self.config.use_contours
        guides = [to_patches(picture, self.config.conditioner.patch) for picture in seen if picture is not None]
        condition = None if self.conditioner is None else self.conditioner.encode(conditions)
        return RendererFeatures(condition, guides, conditions)

    def check_size(self, height: int, width: int) -> None:
        """Check that pictures can be cut into patches and halved as often as the U-Net does.

        Args:
            height: Height of the pictures in pixels.
            width: Width of the pictures in pixels.

        Raises:
            OptionError: A side is no multiple of the required number of pixels.
        """
        multiple = self.config.conditioner.patch * self.unet.stride
        if height % multiple or width % multiple:
            raise OptionError(
                f"this renderer takes pictures whose sides are multiples of {multiple}, not {width}x{height}"
            )

    def denoise(self, x_t: Tensor, t: Tensor, features: RendererFeatures) -> Tensor:
        """Predict as `forward` does, from encoded features: z_d(x_t, t, P_cond(a, m, t)) of the paper.

        Args:
            x_t: Noised pictures or corrections (B, 3, H, W).
            t: Diffusion steps (B,) int64.
            features: Features of the frames' conditions, from `encode`.

        Returns:
            The prediction (B, 3, H, W).
        """
        return self.read_output(self.output(x_t, t, features), features)

    def output(self, x_t: Tensor, t: Tensor, features: RendererFeatures) -> Tensor:
        """Compute the U-Net's raw output.

        Args:
            x_t: Noised pictures or corrections (B, 3, H, W).
            t: Diffusion steps (B,) int64.
            features: Features of the frames' conditions.

        Returns:
            The output (B, unet.out_channels, H / patch, W / patch).
        """
        patch, time = self.config.conditioner.patch, self.time_embedding(t)  # (B, channels)
        if self.attributes is not None:
            time = time + self.attributes(features.conditions.attribute_difference)
        parts = [to_patches(x_t, patch), *features.guides]
        if self.conditioner is not None and features.condition is not None:
            parts.insert(0, self.conditioner.fuse(features.condition, time))  # (B, 3 patch^2, H / patch, W / patch)
        return self.unet(torch.cat([part.to(parts[0].dtype) for part in parts], dim=1), time)

    def read_output(self, output: Tensor, features: RendererFeatures) -> Tensor:
        """Convert the U-Net's output to a prediction.

        Args:
            output: Output of the U-Net, from `output`.
            features: The features that it was computed from.

        Returns:
            The prediction (B, 3, H, W).
        """
        if not self.config.repairs:
            return F.pixel_shuffle(output, self.config.conditioner.patch)  # (B, 3, H, W)
        coarse, source = features.conditions.coarse, features.conditions.source
        repair = self.read_repair(output, features)
        return self.to_x0(apply_repair(repair, coarse, coarse if source is None else source), coarse)

    def read_repair(self, output: Tensor, features: RendererFeatures) -> Repair:
        """Convert the U-Net's output to a repair, for a renderer that repairs.

        Args:
            output: Output of the U-Net, from `output`.
            features: The features that it was computed from.

        Returns:
            The repair of the coarse frames.
        """
        repair = read_repair(output, self.config.conditioner.patch, self.config.correction_scale)
        if not self.config.use_source:
            return replace(repair, mask=torch.zeros_like(repair.mask))
        if not self.config.use_person:
            return repair
        coarse, source, person = features.conditions.coarse, features.conditions.source, features.conditions.person
        assert source is not None and person is not None
        return replace(repair, mask=limit_source_mask(repair.mask, person, coarse, source))

    def loss(
        self, picture: Tensor, t: Tensor, eps: Tensor, conditions: Conditions, options: LossOptions
    ) -> RendererLoss:
        """Compute the paper's training losses (section 3.2).

        Args:
            picture: Real frames (B, 3, H, W) in [0, 1], which the renderer shall produce.
            t: Diffusion steps (B,) int64.
            eps: Noise (B, 3, H, W).
            conditions: Conditions of the frames.
            options: Kinds and weights of the losses.

        Returns:
            The losses, and the picture that the prediction implies.

        Raises:
            OptionError: A condition that the renderer needs is missing, or the pictures' size does not fit.
        """
        features = self.encode(conditions)
        x0 = self.to_x0(picture, conditions.coarse)
        x_t = q_sample(x0, t, eps, self.schedule)
        predicted = self.denoise(x_t, t, features).float()
        target = prediction_target(x0, eps, t, self.schedule, self.config.prediction)
        estimate = x0_from_output(predicted, x_t, t, self.schedule, self.config.prediction)
        return RendererLoss(
            denoising=options.denoising_weight * measure_error(options.denoising, predicted, target),
            color=self._color_loss(features, options),
            picture=self.to_picture(estimate, conditions.coarse),
        )

    def _color_loss(self, features: RendererFeatures, options: LossOptions) -> Tensor:
        if features.condition is None:
            return features.conditions.coarse.new_zeros(())
        return options.color_weight * color_loss(features.condition, options.color)

    def render(self, conditions: Conditions, options: RenderOptions, first_frame: int = 0) -> Rendering:
        """Render B successive frames of a video; the same seed gives the same video.

        Args:
            conditions: Conditions of the frames.
            options: Sampler, steps, seed and precision.
            first_frame: Number of the batch's first frame in its video, on which the noise depends.

        Returns:
            The rendering, its pictures in [0, 1].

        Raises:
            OptionError: An option is out of range, a condition that the renderer needs is missing, or the pictures'
                size does not fit.
        """
        B, *size = conditions.coarse.shape
        frames = range(first_frame, first_frame + B)
        noise = video_noise(options.seed, frames, (size[0], size[1], size[2]), shared=options.shared_noise)
        device = conditions.coarse.device
        sampled = self.sample(conditions, options, lambda t: noise(t).to(device))
        return replace(sampled, pictures=sampled.pictures.clamp(0, 1))

    @torch.inference_mode()
    def sample(self, conditions: Conditions, options: RenderOptions, noise_fn: NoiseFunction) -> Rendering:
        """Run the sampling loop with given noise.

        Args:
            conditions: Conditions of B frames.
            options: Sampler, steps and precision.
            noise_fn: Maps a step t to the noise (B, 3, H, W) that is added on leaving it; for t = config.timesteps to
                the initial noise x_T.

        Returns:
            The rendering, its pictures not clamped to [0, 1].

        Raises:
            OptionError: An option is out of range, a condition that the renderer needs is missing, or the pictures'
                size does not fit.
        """
        coarse, device = conditions.coarse, conditions.coarse.device
        context = autocast(device, choose_dtype(device, options.precision))
        with context:
            features = self.encode(conditions)
        output: Tensor | None = None

        def predict(x_t: Tensor, step: int) -> Tensor:
            nonlocal output
            t = torch.full((x_t.shape[0],), step, device=device)
            with context:
                output = self.output(x_t, t, features)
                prediction = self.read_output(output, features)
            x0 = x0_from_output(prediction.float(), x_t, t, self.schedule, self.config.prediction)
            return x0 if options.clip is None else self.to_x0(self.to_picture(x0, coarse).clamp(*options.clip), coarse)

        timesteps = spaced_timesteps(options.num_steps, self.config.timesteps, options.strength)
        x = noise_fn(self.config.timesteps)
        if options.strength < 1:
            t = torch.full((x.shape[0],), timesteps[0], device=device)
            x = q_sample(self.to_x0(coarse, coarse), t, x, self.schedule)
        pictures = self.to_picture(self._run_sampler(predict, x, timesteps, options, noise_fn), coarse)
        # every sampler ends at the last estimate of x0, so the last output's repair is the picture's
        repair = self.read_repair(output, features) if self.config.repairs and output is not None else None
        return Rendering(pictures, repair)

    def _run_sampler(
        self, predict: Predict, x: Tensor, timesteps: list[int], options: RenderOptions, noise_fn: NoiseFunction
    ) -> Tensor:
        if options.sampler == "ddpm":
            return sample_ddpm(predict, x, self.schedule, timesteps, noise_fn)
        if options.sampler == "ddim":
            return sample_ddim(predict, x, self.schedule, timesteps, noise_fn, options.eta)
        if options.sampler == "dpm_solver":
            return sample_dpm_solver(predict, x, self.schedule, timesteps)
        raise OptionError(f"sampler {options.sampler!r} is unknown; choose ddpm, ddim or dpm_solver")

    def to_x0(self, picture: Tensor, coarse: Tensor) -> Tensor:
        """Convert a picture to what is diffused: the picture itself or its scaled correction.

        Args:
            picture: Pictures (B, 3, H, W).
            coarse: Coarse frames (B, 3, H, W).

        Returns:
            x0 (B, 3, H, W).
        """
        return picture if self.config.target == "picture" else self.config.correction_scale * (picture - coarse)

    def to_picture(self, x0: Tensor, coarse: Tensor) -> Tensor:
        """Invert `to_x0`.

        Args:
            x0: What is diffused (B, 3, H, W).
            coarse: Coarse frames (B, 3, H, W).

        Returns:
            Pictures (B, 3, H, W).
        """
        return x0 if self.config.target == "picture" else coarse + x0 / self.config.correction_scale
