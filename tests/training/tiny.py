"""Tiny objectives: networks that fit 32-pixel pictures, untrained features in place of the pretrained ones."""

import torch
from torch import Tensor, nn

from fadm.coarse.face_vid2vid import FaceVid2VidConfig
from fadm.coarse.fomm import FOMMConfig
from fadm.training.losses.discriminator import DiscriminatorConfig
from fadm.training.losses.reconstruction import ReconstructionConfig
from fadm.training.objective import Batch, Objective

SIDE = 32
FOMM = FOMMConfig(
    num_keypoints=4,
    keypoint_width=4,
    keypoint_max_channels=16,
    keypoint_blocks=2,
    keypoint_downsampling=2,
    motion_width=4,
    motion_max_channels=16,
    motion_blocks=2,
    generator_width=4,
    generator_max_channels=16,
    bottleneck_blocks=1,
)
FACE_VID2VID = FaceVid2VidConfig(
    num_keypoints=4,
    keypoint_width=4,
    keypoint_max_channels=16,
    keypoint_blocks=2,
    keypoint_downsampling=2,
    keypoint_volume_channels=4,
    keypoint_depth=4,
    head_stem_channels=4,
    head_stage_channels=(8, 12, 16, 20),
    head_stage_blocks=(1, 1, 1, 1),
    motion_width=4,
    motion_max_channels=16,
    motion_blocks=2,
    motion_reduced_channels=2,
    generator_width=4,
    generator_max_channels=16,
    volume_channels=4,
    volume_depth=7,
    volume_blocks=1,
    bottleneck_blocks=1,
)
DISCRIMINATOR = DiscriminatorConfig(width=4, num_blocks=2)
RECONSTRUCTION = ReconstructionConfig(factors=(1, 2))


class Features(nn.Module):
    """Two strided convolutions; each one's output is a stage."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Conv2d(3, 6, 3, stride=2)
        self.norm = nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 8, 3, stride=2)

    def forward(self, picture: Tensor) -> list[Tensor]:
        first = torch.tanh(self.norm(self.first(picture)))
        return [first, torch.tanh(self.second(first))]


def make_batch(size: int, *, has_pose: bool = False) -> Batch:
    """Smooth pictures; driving ones are the sources moved by a few pixels."""
    generator = torch.Generator().manual_seed(0)
    low = torch.rand(size, 3, 5, 5, generator=generator)
    source = nn.functional.interpolate(low, size=SIDE, mode="bicubic", align_corners=True).clamp(0, 1)
    batch = {"source": source, "driving": source.roll((2, 3), (2, 3)), "seed": torch.arange(size) + 7}
    if has_pose:
        batch["pose"] = 20 * torch.randn(size, 3, generator=generator)
    return batch


def add_up(objective: Objective, batch: Batch) -> Tensor:
    return torch.stack(list(objective.generator(batch, objective.discriminator).losses.values())).sum()


def take_steps(objective: Objective, batch: Batch, steps: int) -> list[float]:
    """Sums of the generator's losses while Adam trains it and its discriminator in turn."""
    trained = [p for p in objective.generator.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=2e-3, betas=(0.5, 0.999))
    discriminator_optimizer = (
        torch.optim.Adam(objective.discriminator.parameters(), lr=2e-4) if objective.discriminator else None
    )
    totals = []
    for _ in range(steps):
        if objective.discriminator:
            objective.discriminator.requires_grad_(False)
        output = objective.generator(batch, objective.discriminator)
        total = torch.stack(list(output.losses.values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
        if objective.discriminator and discriminator_optimizer:
            objective.discriminator.requires_grad_(True)
            discriminator_optimizer.zero_grad()
            torch.stack(list(objective.discriminator(batch, output.pictures).values())).sum().backward()
            discriminator_optimizer.step()
    return totals
