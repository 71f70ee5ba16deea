"""What a training run minimises: the contract between the loop and each kind of training."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class ObjectiveOutput:
    """What a generator computes from a batch.

    Attributes:
        losses: Weighted losses by name, scalars; their sum is minimised.
        pictures: Pictures (B, 3, H, W) in 0..1 by name, for the discriminator.
    """

    losses: dict[str, Tensor]
    pictures: dict[str, Tensor]


@dataclass(frozen=True)
class Objective:
    """One kind of training: a generator and, for adversarial losses, a discriminator trained in turn.

    All trained arithmetic is in the `forward` of the two modules, so that a wrapper for several devices sees it.

    Attributes:
        generator: `generator(batch, discriminator) -> ObjectiveOutput`; the discriminator is frozen meanwhile.
        discriminator: `discriminator(batch, pictures) -> losses by name`; None without an adversarial loss.
        networks: The networks that are saved as weights files, by name; parts of the generator.
    """

    generator: nn.Module
    discriminator: nn.Module | None
    networks: dict[str, nn.Module]


def to_unit(tensor: Tensor) -> Tensor:
    """Convert pictures stored as bytes to 0..1 in channels-last layout.

    Args:
        tensor: uint8 pictures (B, C, H, W), or a tensor of another type.

    Returns:
        float32 pictures (B, C, H, W) in 0..1; a tensor of another type unchanged.
    """
    if tensor.dtype != torch.uint8:
        return tensor
    return (tensor.float() / 255).contiguous(memory_format=torch.channels_last)


def use_channels_last(module: nn.Module) -> None:
    """Store a network's 4-D parameters and buffers channels last, in which 2-D convolutions are fastest.

    Args:
        module: The network, changed in place; 3-D convolutions have no such layout and stay as they are.
    """
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
