"""Train a tiny renderer for a few steps on synthetic faces, from Python: python examples/train.py [FOLDER].

The steps are too few for a good renderer; configs/ holds the recipes for real ones, and docs/training.md the way there.
"""

import sys
from pathlib import Path

from fadm.data.pairs.store import PairOptions
from fadm.data.synthetic.clips import SyntheticOptions, write_synthetic_shards
from fadm.diffusion.unet import UNetConfig
from fadm.rendering.conditioner import ConditionerConfig
from fadm.rendering.options import RendererConfig, RenderOptions
from fadm.training.logbook import StepReport
from fadm.training.objectives.renderer import RendererObjectiveConfig
from fadm.training.options import CoarseOptions, DataOptions, OptimizerOptions, RunOptions
from fadm.training.recipes import RendererRecipe
from fadm.training.run import train

SIZE = 64  # pixels
STEPS = 20

# A small FADM on 4x4 patches, which predicts the correction of the coarse frame in one step.
RENDERER = RendererConfig(
    unet=UNetConfig(
        in_channels=192,  # x_t, condition, coarse frame and source, 3 * 4 * 4 each
        out_channels=66,  # colours 48, mask 16, shift 2
        channels=16,
        multipliers=(1, 2),
        residual_blocks=1,
        attention_levels=(),
        norm_groups=8,
    ),
    conditioner=ConditionerConfig(patch=4, kernel_size=3, time_channels=16),
    schedule="cosine",
    prediction="x0",
    target="correction",
    use_coarse=True,
    use_source=True,
    use_attributes=True,
    repairs=True,
)


def main(folder: Path) -> None:
    # Shards of your own videos, made by `fadm data prepare`, take the place of these.
    options = SyntheticOptions(clips=4, validation_clips=2, frames=4, size=SIZE)
    shards, validation = write_synthetic_shards(folder / "shards", options)
    recipe = RendererRecipe(
        objective=RendererObjectiveConfig(renderer=RENDERER, last_step_share=0.75, picture_weight=1.0),
        data=DataOptions(
            shards=tuple(map(str, shards)),
            validation=tuple(map(str, validation)),
            size=SIZE,
            cache=str(folder / "cache"),
            workers=0,
        ),
        coarse=CoarseOptions(pairs=PairOptions(sources_per_clip=1, drivings_per_source=2), validation_pairs_per_clip=2),
        optimizer=OptimizerOptions(learning_rate=2e-3, betas=(0.9, 0.99), warmup_steps=5, clip_norm=1.0),
        run=RunOptions(steps=STEPS, batch_size=4, ema_decay=0.8, log_every=5, validation_samples=4),
        render=RenderOptions(sampler="ddim", num_steps=1, eta=0.0),
    )
    weights = train(recipe, folder / "run", report=show, announce=print)
    print(f"The best weights are in {weights['fadm']}")


def show(report: StepReport) -> None:
    """Print mean losses, and validations beside those of the coarse frames alone."""
    numbers = ", ".join(f"{name} {value:.4f}" for name, value in report.numbers.items())
    print(f"step {report.step} of {report.steps}: {numbers}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo/training"))
