from dataclasses import replace
from pathlib import Path

import pytest

from fadm.config import read_table
from fadm.errors import ConfigError
from fadm.rendering.presets import get_preset
from fadm.rendering.renderer import DiffusionRenderer
from fadm.training.recipes import KINDS, DistillationRecipe, read_recipe

RECIPES = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))
SMALL = next(path for path in RECIPES if path.stem == "renderer_small")


def read(name, *overrides):
    path = SMALL.with_stem(name)
    return read_recipe(read_table(path)["kind"], path, overrides)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_of_its_kind(path):
    table = read_table(path)
    kind = table.pop("kind")
    recipe = read_recipe(kind, path)
    assert isinstance(recipe, KINDS[kind]) and recipe != (KINDS[kind]() if kind != "distill" else None)
    for section in table.keys() - {"teacher"}:
        for key, value in table[section].items():
            if not isinstance(value, dict):
                given = getattr(getattr(recipe, section), key)
                assert (list(given) if isinstance(given, tuple) else given) == value, f"{section}.{key}"


@pytest.mark.parametrize(("name", "preset"), [("fadm_256", "paper"), ("fadm_256_released", "released")])
def test_the_papers_renderer_is_the_preset_of_its_name(name, preset):
    recipe, expected = read(name), get_preset(preset)
    assert recipe.objective.renderer == expected.renderer
    render = replace(expected.render, attributes_from="driving")  # in training there are no others
    assert recipe.objective.losses == expected.loss and recipe.render == render


def test_the_small_renderer_can_be_built():
    renderer = DiffusionRenderer(read("renderer_small").objective.renderer)
    assert 3e6 < sum(parameter.numel() for parameter in renderer.parameters()) < 12e6


def test_the_small_renderer_is_fine_tuned_as_it_began():
    first, second = read("renderer_small"), read("renderer_small_finish")
    assert first.objective.renderer == second.objective.renderer == get_preset("default").renderer
    assert first.run.seed != second.run.seed  # other samples


def test_overrides_change_keys():
    recipe = read("renderer_small", "run.steps=7", 'data.shards=["a.tar"]', "run.start=fadm")
    assert (recipe.run.steps, recipe.data.shards, recipe.run.start) == (7, ("a.tar",), "fadm")
    assert recipe.run.batch_size == read("renderer_small").run.batch_size


def test_a_recipe_of_another_kind_is_refused():
    with pytest.raises(
        ConfigError, match=r"renderer_small.toml is a recipe of kind 'renderer', not 'fomm'; use fadm train"
    ):
        read_recipe("fomm", SMALL)


def test_a_key_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown key 'run.step'; did you mean 'steps'"):
        read("renderer_small", "run.step=7")
    with pytest.raises(ConfigError, match=r"'run.steps' must be a whole number, got 'many'"):
        read("renderer_small", "run.steps=many")
    (tmp_path / "distill.toml").write_text("[run]\nsteps = 3\n")
    with pytest.raises(ConfigError, match="missing key 'teacher'"):
        read_recipe("distill", tmp_path / "distill.toml")


def test_a_file_need_not_say_its_kind(tmp_path):
    (tmp_path / "mine.toml").write_text('teacher = "fadm"\n')
    assert read_recipe("distill", tmp_path / "mine.toml") == DistillationRecipe(teacher="fadm")
