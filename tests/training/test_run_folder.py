import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fadm.config import config_to_dict
from fadm.errors import ConfigError, OutputError
from fadm.training.options import RunOptions
from fadm.training.recipes import FOMMRecipe
from fadm.training.run_folder import RunFolder, read_metrics

RECIPE = FOMMRecipe(run=RunOptions(steps=5))


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "runs" / "one")
    folder.open(RECIPE)
    return folder


def test_the_whole_recipe_is_kept(folder):
    kept = json.loads((folder.path / "recipe.json").read_text())
    assert kept == json.loads(json.dumps(config_to_dict(RECIPE)))
    assert kept["run"]["steps"] == 5 and kept["optimizer"]["betas"] == [0.5, 0.999]
    assert folder.weights("fomm", "best").name == "fomm-best.safetensors"


def test_the_same_recipe_is_resumed_and_another_is_refused(folder):
    folder.latest.touch()
    folder.open(RECIPE)
    run = replace(RECIPE.run, log_every=7, checkpoint_every=9)
    folder.open(replace(RECIPE, run=run, data=replace(RECIPE.data, workers=7, cache="elsewhere")))
    assert json.loads((folder.path / "recipe.json").read_text())["run"]["checkpoint_every"] == 9
    with pytest.raises(ConfigError, match=r"holds a run with run\.steps = 5, now 6; give the same recipe"):
        folder.open(replace(RECIPE, run=RunOptions(steps=6)))
    with pytest.raises(ConfigError, match=r"optimizer\.clip_norm = None, now 1\.0"):
        folder.open(replace(RECIPE, optimizer=replace(RECIPE.optimizer, clip_norm=1.0)))


def test_before_the_first_checkpoint_the_recipe_may_change(folder):
    other = replace(RECIPE, run=RunOptions(steps=6))
    folder.open(other)
    folder.latest.touch()
    folder.open(other)
    with pytest.raises(ConfigError, match=r"run\.steps = 6, now 5"):
        folder.open(RECIPE)


def test_a_key_that_came_later_has_its_default(folder):
    place = folder.path / "recipe.json"
    kept = json.loads(place.read_text())
    del kept["run"]["ema_decay"]
    place.write_text(json.dumps(kept))
    folder.latest.touch()
    folder.open(RECIPE)
    with pytest.raises(ConfigError, match=r"run\.ema_decay = 0\.999, now 0\.5"):
        folder.open(replace(RECIPE, run=RunOptions(steps=5, ema_decay=0.5)))


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty and holds no run"):
        RunFolder(tmp_path).open(RECIPE)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_metrics_after_the_checkpoint_are_forgotten(folder):
    for step in (0, 1, 2, 3):
        folder.log(step, {"loss": 0.5 * step})
    place = folder.path / "metrics.jsonl"
    place.write_text(place.read_text() + '{"step": 4, "lo')  # a kill cut it off
    assert [line["step"] for line in read_metrics(place)] == [0, 1, 2, 3]
    folder.rewind_metrics(2)
    assert read_metrics(place) == [{"step": step, "loss": 0.5 * step} for step in (0, 1, 2)]
    folder.rewind_metrics(0)  # there was no checkpoint: the run begins again
    assert place.read_text() == ""


def test_grids_are_pictures_in_the_order_of_steps(folder):
    grid = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
    folder.save_grid(120, grid)
    assert np.array_equal(np.array(Image.open(folder.path / "samples" / "0000120.png")), grid)
