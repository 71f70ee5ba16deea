"""Presets of a renderer: the paper, its released code and this project's default.

Each difference between them is a row in docs/fidelity.md.
"""

import difflib
from dataclasses import dataclass

from fadm.diffusion.unet import UNetConfig
from fadm.errors import OptionError
from fadm.rendering.conditioner import ConditionerConfig
from fadm.rendering.options import LossOptions, RendererConfig, RenderOptions


@dataclass(frozen=True, kw_only=True)
class Preset:
    """How a renderer is built, trained and used.

    Attributes:
        renderer: Configuration of the networks.
        loss: Training losses.
        render: Sampling.
    """

    renderer: RendererConfig
    loss: LossOptions
    render: RenderOptions


PRESETS: dict[str, Preset] = {
    "paper": Preset(
        renderer=RendererConfig(schedule="linear", timesteps=100, prediction="eps"),
        loss=LossOptions(denoising="squared", color="squared"),
        render=RenderOptions(sampler="ddpm", num_steps=100, clip=None, shared_noise=False, attributes_from="driving"),
    ),
    "released": Preset(
        renderer=RendererConfig(schedule="linear", timesteps=100, prediction="eps"),
        loss=LossOptions(denoising="absolute_sum", color="absolute"),
        render=RenderOptions(
            sampler="ddim", num_steps=100, eta=1.0, clip=None, shared_noise=True, attributes_from="coarse"
        ),
    ),
    "default": Preset(
        renderer=RendererConfig(
            unet=UNetConfig(
                in_channels=224,
                out_channels=66,
                channels=32,
                multipliers=(1, 2, 4, 6),
                residual_blocks=1,
                attention_levels=(2, 3),
                norm_groups=16,
            ),
            conditioner=ConditionerConfig(
                patch=4, kernel_size=3, time_channels=32, downsampling="area", appearance_upsampling="bilinear"
            ),
            schedule="cosine",
            prediction="x0",
            target="correction",
            use_coarse=True,
            use_source=True,
            use_attributes=True,
            use_person=True,
            repairs=True,
        ),
        loss=LossOptions(denoising_weight=0.0, color_weight=0.1),
        render=RenderOptions(
            sampler="ddim", num_steps=1, eta=0.0, clip=(0.0, 1.0), shared_noise=True, attributes_from="moved"
        ),
    ),
}


def get_preset(name: str) -> Preset:
    """Find a preset by name.

    Args:
        name: paper, released or default.

    Returns:
        The preset.

    Raises:
        OptionError: There is no such preset; the message names the nearest match.
    """
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS)
        hint = f"did you mean {near[0]!r}?" if near else f"choose {', '.join(PRESETS)}"
        raise OptionError(f"preset {name!r} is unknown; {hint}")
    return PRESETS[name]
