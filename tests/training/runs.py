"""A tiny renderer on random pairs, and all of its training, for the tests of the loop."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from torch import Tensor, nn
from torch.utils.data import Dataset

from fadm.device import seeded_generator
from fadm.diffusion.unet import UNetConfig
from fadm.rendering.conditioner import ConditionerConfig
from fadm.rendering.options import RendererConfig
from fadm.training.checkpoint import TrainingState
from fadm.training.logbook import StepReport
from fadm.training.loop import Task, Validation, train
from fadm.training.losses.discriminator import DiscriminatorConfig
from fadm.training.objectives.renderer import RendererObjectiveConfig, build_renderer_objective
from fadm.training.options import DataOptions, OptimizerOptions, RunOptions
from fadm.training.run_folder import RunFolder

SIDE = 32
RENDERER = RendererConfig(
    unet=UNetConfig(
        in_channels=48,
        out_channels=18,
        channels=8,
        multipliers=(1, 2),
        residual_blocks=1,
        attention_levels=(),
        norm_groups=4,
    ),
    conditioner=ConditionerConfig(patch=2, kernel_size=3, time_channels=8, channels=4),
    schedule="cosine",
    timesteps=10,
    prediction="x0",
    target="correction",
    use_coarse=True,
    use_source=True,
    use_attributes=True,
    repairs=True,
)
OBJECTIVE = RendererObjectiveConfig(
    renderer=RENDERER,
    picture_weight=1.0,
    attention_weight=1.0,
    adversarial_weight=0.01,
    discriminator=DiscriminatorConfig(width=4, max_channels=8, num_blocks=2, has_spectral_norm=True),
)
RUN = RunOptions(
    steps=6, batch_size=4, precision="float32", log_every=1, checkpoint_every=2, validate_every=3, validation_samples=2
)
OPTIMIZER = OptimizerOptions(learning_rate=1e-3, betas=(0.9, 0.99), warmup_steps=2, decay="cosine", clip_norm=1.0)


class MadeUpSamples(Dataset[dict[str, Tensor]]):
    """Samples of a renderer, each a function of its number; coarse frames are too dark by half."""

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        generator = seeded_generator(7, number)
        driving = torch.rand(3, SIDE, SIDE, generator=generator)
        pictures = {"source": driving.flip(2), "driving": driving, "coarse": driving / 2}
        return {name: (255 * picture).to(torch.uint8) for name, picture in pictures.items()} | {
            "attention": torch.full((1, SIDE, SIDE), 255, dtype=torch.uint8),
            "confidence": torch.full((1, SIDE, SIDE), 255, dtype=torch.uint8),
            "attributes_source": torch.randn(56, generator=generator),
            "attributes_driving": torch.randn(56, generator=generator),
            "seed": torch.tensor(number),
        }


def validate(networks: dict[str, nn.Module]) -> Validation:
    """Stands in for pictures: the size of the first weights."""
    weights = next(networks["fadm"].parameters())
    return Validation({"size": float(weights.abs().sum())}, np.zeros((4, 4, 3), np.uint8))


def make_task() -> Task:
    """The same networks each time."""
    torch.manual_seed(0)
    objective = build_renderer_objective(OBJECTIVE)
    return Task(objective, MadeUpSamples(), validate, {"fadm": {"kind": "fadm"}})


def run_training(
    folder: Path, report: Callable[[StepReport], None] = lambda report: None, **changes: object
) -> TrainingState:
    """Train in a folder; the run's options may be changed."""
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    run = replace(RUN, **changes)  # type: ignore[arg-type]
    optimizers = {"generator": OPTIMIZER, "discriminator": OPTIMIZER}
    return train(make_task(), run, DataOptions(workers=0), optimizers, RunFolder(folder), report)


if __name__ == "__main__":  # python -m tests.training.runs FOLDER [STEP at which the process is killed]
    import os
    import signal
    import sys

    def die(report: StepReport) -> None:
        """Die as by kill -9 once the step is logged."""
        if len(sys.argv) > 2 and report.step == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)

    run_training(Path(sys.argv[1]), die)
    print(PartialState().num_processes, "processes")
