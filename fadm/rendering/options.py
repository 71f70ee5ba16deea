"""What a renderer is made for, how it is trained and how it renders; the defaults are the paper's."""

from dataclasses import dataclass
from typing import Literal

from fadm.diffusion.loss import ErrorName
from fadm.diffusion.schedule import PredictionType, ScheduleName
from fadm.diffusion.unet import UNetConfig
from fadm.rendering.conditioner import ConditionerConfig


@dataclass(frozen=True, kw_only=True)
class RendererConfig:
    """What the weights of a renderer are made for; the defaults are the paper's.

    target: what is diffused, the picture itself or its correction, `correction_scale` times picture minus coarse.
    The denoiser works on patches (conditioner.patch), each a place with 3 patch^2 channels. Beside the condition
    and x_t it sees, if asked for, the coarse frame and the source picture themselves (use_coarse, use_source) and
    the attribute difference, added to the embedded step (use_attributes). With `repairs` it answers by moving the
    coarse frame's pixels, taking others from the source and changing colours (rendering/repair.py). With `use_person`
    it is told where both pictures show the person, and does not take a person who has moved from the source.
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
    repairs: bool = False


@dataclass(frozen=True, kw_only=True)
class LossOptions:
    """How a renderer is trained: error and weight of the denoiser's answer and of the colour loss."""

    denoising: ErrorName = "squared"
    denoising_weight: float = 1.0
    color: ErrorName = "squared"
    color_weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class RenderOptions:
    """How a renderer renders.

    eta: noise of DDIM, 0 to 1. clip: range to which each estimate of x0 is limited. strength: share of the
    noise that the walk starts with; 1 starts from noise alone, less from the noised coarse frame.
    shared_noise: all frames of a video have the same noise. attributes_from: the picture whose attributes are
    taken for the driving ones; `moved`: the coarse frame's as its generator meant them, where it knows landmarks, else
    the driving frame's. precision: of the networks, `auto` is bfloat16 where the device has it.
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
