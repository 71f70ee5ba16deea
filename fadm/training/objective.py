"""What a training run minimises: the contract between the loop and each kind of training."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Outcome:
    """What a generator made of a batch.

    losses: scalars by name, already weighted; their sum is minimised. pictures: (B, 3, H, W) in 0..1 by name,
    for the discriminator and the sample grids.
    """

    losses: dict[str, Tensor]
    pictures: dict[str, Tensor]


@dataclass(frozen=True)
class Objective:
    """One kind of training: a generator and, for adversarial losses, a discriminator that is trained in turn.

    generator(batch, discriminator) -> Outcome; discriminator(batch, pictures) -> losses by name. Both are modules whose
    `forward` holds all trained arithmetic, so that a wrapper for several devices sees it; the discriminator that the
    generator is given is frozen meanwhile. networks: what the weights files are made of, parts of the generator.
    """

    generator: nn.Module
    discriminator: nn.Module | None
    networks: dict[str, nn.Module]


def to_unit(tensor: Tensor) -> Tensor:
    """Pictures travel as bytes and are computed with as 0..1, channels last; other tensors stay."""
    return (
        (tensor.float() / 255).contiguous(memory_format=torch.channels_last) if tensor.dtype == torch.uint8 else tensor
    )


def use_channels_last(module: nn.Module) -> None:
    """Give a network the layout in which 2-D convolutions are fastest; 3-D ones have none like it."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
