"""Configuration, training losses and sampling options of a renderer; the defaults are the paper's."""

from dataclasses import dataclass
from typing import Literal

from fadm.diffusion.loss import ErrorName
from fadm.diffusion.schedule import PredictionType, ScheduleName
from fadm.diffusion.unet import UNetConfig
from fadm.errors import ConfigError
from fadm.rendering.conditioner import ConditionerConfig
from fadm.rendering.repair import count_channels


@dataclass(frozen=True, kw_only=True)
class RendererConfig:
    """Configuration of a renderer, stored with its weights; the defaults are the paper's.

    The denoiser works on patches (conditioner.patch) of 3 patch^2 channels. Its inputs are x_t, the condition, and the
    pictures that the `use_` fields add.

    Attributes:
        unet: The denoiser.
        conditioner: The conditioning network (AGCN).
        schedule: Noise schedule.
        timesteps: Steps of the diffusion.
        prediction: What the network predicts: eps, x0 or v.
        target: What is diffused: the picture itself, or its correction, `correction_scale` times picture minus coarse.
        correction_scale: Factor of the correction.
        use_coarse: The denoiser is given the coarse frame.
        use_source: The denoiser is given the source picture; without it a repair copies nothing from there.
        use_attributes: The attribute difference is added to the embedded step.
        use_person: The denoiser is given the person's probability in source and coarse frame; a person who has moved
            is not copied from the source.
        use_condition: The denoiser is given the picture that the conditioning network draws (AGCN).
        use_contours: The renderer draws windows of mouth and eyes (rendering/parts.py) and is given their contours.
        repairs: The output moves pixels of the coarse frame, copies others from the source and corrects colours
            (rendering/repair.py), instead of being the picture.
    """

    unet: UNetConfig = UNetConfig()
    conditioner: ConditionerConfig = ConditionerConfig()
    schedule: ScheduleName = "linear"
    timesteps: int = 100
    prediction: PredictionType = "eps"
    target: Literal["picture", "correction"] = "picture"
    correction_scale: float = 8.0
    use_coarse: bool = False
    use_source: bool = False
    use_attributes: bool = False
    use_person: bool = False
    use_condition: bool = True
    use_contours: bool = False
    repairs: bool = False


@dataclass(frozen=True, kw_only=True)
class LossOptions:
    """Training losses of a renderer.

    Attributes:
        denoising: Error of the prediction.
        denoising_weight: Its weight.
        color: Error of the colour loss L_color.
        color_weight: Its weight.
    """

    denoising: ErrorName = "squared"
    denoising_weight: float = 1.0
    color: ErrorName = "squared"
    color_weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class RenderOptions:
    """How a renderer samples.

    Attributes:
        sampler: ddpm, ddim or dpm_solver.
        num_steps: Sampling steps.
        eta: Noise of DDIM, from 0 to 1.
        clip: Range to which each estimate of the picture is clamped; None does not clamp.
        strength: Share of noise at the start, above 0 to 1: 1 starts from noise alone, less from the noised coarse
            frame.
        shared_noise: All frames of a video have the same noise.
        attributes_from: Source of the driving attributes: the driving frame, the coarse frame, or (moved) the landmarks
            that the coarse frame was made for; where it has none, the driving frame.
        seed: Seed of the noise.
        precision: Precision of the networks; auto is bfloat16 where the device has it.
    """

    sampler: Literal["ddpm", "ddim", "dpm_solver"] = "ddpm"
    num_steps: int = 100
    eta: float = 1.0
    clip: tuple[float, float] | None = None
    strength: float = 1.0
    shared_noise: bool = False
    attributes_from: Literal["driving", "coarse", "moved"] = "driving"
    seed: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


def check_renderer_config(config: RendererConfig) -> None:
    """Check that the parts of a renderer fit each other.

    Args:
        config: The configuration.

    Raises:
        ConfigError: Numbers of channels do not fit, or choices contradict each other.
    """
    unet, conditioner = config.unet, config.conditioner
    if conditioner.time_channels != unet.channels:
        raise ConfigError(
            f"conditioner.time_channels {conditioner.time_channels} must equal unet.channels {unet.channels}, "
            "since both read one time embedding"
        )
    picture = 3 * conditioner.patch**2
    pictures = 1 + config.use_condition + config.use_coarse + config.use_source
    given = picture * pictures + 2 * conditioner.patch**2 * (config.use_person + config.use_contours)
    expected = count_channels(conditioner.patch) if config.repairs else picture
    if (unet.in_channels, unet.out_channels) != (given, expected):
        raise ConfigError(
            f"unet.in_channels {unet.in_channels} must be {given} and unet.out_channels {unet.out_channels} must be "
            f"{expected}: x_t, the condition and each picture given to the denoiser have 3 patch^2 = {picture} "
            "channels, the person's probabilities 2 patch^2"
        )
    if not config.correction_scale > 0:
        raise ConfigError(f"correction_scale {config.correction_scale} must be above 0")
    if config.repairs and (config.prediction, config.target) != ("x0", "correction"):
        raise ConfigError("repairs = true needs prediction = 'x0' and target = 'correction'")
