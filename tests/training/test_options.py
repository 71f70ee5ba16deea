from dataclasses import replace

import pytest

from fadm.config import config_from_dict
from fadm.errors import ConfigError
from fadm.training.options import CoarseOptions, RunOptions
from fadm.training.recipes import FOMMRecipe, RendererRecipe


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run": {"log_every": 0}}, "run.log_every 0: give 1 or more"),
        ({"run": {"validation_samples": 0}}, "run.validation_samples 0"),
        ({"run": {"ema_decay": 1.5}}, "run.ema_decay 1.5: give a number from 0 to 1"),
        ({"run": {"ema_decay": float("nan")}}, "run.ema_decay nan"),
        ({"optimizer": {"betas": [0.9, 1.0]}}, "optimizer.betas"),
        ({"optimizer": {"learning_rate": -1.0}}, "optimizer.learning_rate -1: give 0 or more"),
        ({"data": {"workers": -1}}, "data.workers -1"),
        ({"objective": {"perceptual_share": 1.5}}, "objective.perceptual_share 1.5: give a number from 0 to 1"),
        ({"objective": {"landmark_weight": -1.0}}, "objective.landmark_weight -1: give 0 or more"),
        (
            {"optimizer": {"clip_norm": 0.0}},
            r"optimizer.clip_norm 0.0: give a number above 0, or leave it out",
        ),
        ({"objective": {"losses": {"color_weight": -0.1}}}, "objective.losses.color_weight -0.1"),
        ({"coarse": {"pairs": {"size": 128}}}, "set data.size"),
        ({"coarse": {"pairs": {"sources_per_clip": 0}}}, "coarse.pairs.sources_per_clip 0"),
    ],
)
def test_numbers_out_of_range_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        config_from_dict(RendererRecipe, changes, source="recipe.toml")


def test_the_smallest_numbers_are_taken():
    assert replace(RunOptions(), steps=1, log_every=1, ema_decay=0.0, seed=0).steps == 1
    assert CoarseOptions(validation_pairs_per_clip=1).pairs.augmented == 0.25


def test_a_changed_rate_leaves_the_betas_of_its_kind():
    recipe = config_from_dict(FOMMRecipe, {"optimizer": {"learning_rate": 1e-4}}, source="recipe.toml")
    assert recipe.optimizer.betas == (0.5, 0.999) and recipe.discriminator_optimizer.betas == (0.5, 0.999)
