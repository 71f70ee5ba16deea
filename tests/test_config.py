import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from fadm.config import apply_overrides, config_from_dict, config_to_dict, read_config, write_config
from fadm.errors import ConfigError, OutputError


@dataclass(frozen=True, kw_only=True)
class Sampler:
    name: Literal["ddpm", "ddim"] = "ddim"
    eta: float = 1.0
    steps: int | None = None


@dataclass(frozen=True, kw_only=True)
class Recipe:
    size: int
    channels: tuple[int, ...] = (1, 2)
    betas: tuple[float, float] = (0.0, 0.9)
    is_shared: bool = True
    title: str = ""
    sampler: Sampler = field(default_factory=Sampler)


TOML = """
size = 64
channels = [1, 2, 4]
betas = [0, 0.5]
[sampler]
name = "ddpm"
eta = 0
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_toml_fills_nested_tables_and_keeps_defaults(tmp_path):
    recipe = read_config(Recipe, write(tmp_path / "r.toml", TOML))
    assert recipe == Recipe(size=64, channels=(1, 2, 4), betas=(0.0, 0.5), sampler=Sampler(name="ddpm", eta=0.0))
    assert isinstance(recipe.sampler.eta, float)


def test_written_configuration_is_read_back(tmp_path):
    recipe = Recipe(size=32, channels=(3,), sampler=Sampler(steps=5))
    write_config(recipe, tmp_path / "r.json")
    assert read_config(Recipe, tmp_path / "r.json") == recipe
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]
    assert config_from_dict(Recipe, json.loads(json.dumps(config_to_dict(recipe))), source="x") == recipe


def test_a_link_to_a_configuration_stays_one(tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "r.json")
    write_config(Recipe(size=32), tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink() and read_config(Recipe, tmp_path / "r.json").size == 32


def test_overrides_set_nested_keys(tmp_path):
    overrides = ["sampler.steps=20", "title=plain words", "sampler.eta=1e-1", "channels=[8]", "is_shared=false"]
    recipe = read_config(Recipe, write(tmp_path / "r.toml", TOML), overrides)
    assert (recipe.sampler.steps, recipe.sampler.eta, recipe.title) == (20, 0.1, "plain words")
    assert (recipe.channels, recipe.is_shared, recipe.sampler.name) == ((8,), False, "ddpm")
    assert read_config(Recipe, tmp_path / "r.toml", ["sampler.steps=none"]).sampler.steps is None


def test_overrides_leave_their_input_alone():
    values = {"sampler": {"eta": 1.0}}
    assert apply_overrides(values, ["sampler.eta=0.5"]) == {"sampler": {"eta": 0.5}}
    assert values == {"sampler": {"eta": 1.0}}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 1, "sampler": {"esta": 1.0}}, r"r\.toml: unknown key 'sampler\.esta'; did you mean 'eta'"),
        ({"size": 1, "zzz": 1}, r"unknown key 'zzz'; known are betas, channels"),
        ({}, r"r\.toml: missing key 'size'"),
        ({"size": "64"}, r"'size' must be a whole number, got '64'"),
        ({"size": True}, r"'size' must be a whole number, got True"),
        ({"size": 1, "is_shared": 1}, r"'is_shared' must be true or false"),
        ({"size": 1, "sampler": {"name": "ddin"}}, r"must be one of 'ddpm', 'ddim'; got 'ddin'; did you mean 'ddim'"),
        ({"size": 1, "betas": [0.1]}, r"'betas' must hold 2 values, got 1"),
        ({"size": 1, "channels": [1, "x"]}, r"'channels\[1\]' must be a whole number"),
        ({"size": 1, "channels": 3}, r"'channels' must be a list"),
        ({"size": 1, "sampler": 3}, r"'sampler' must be a table"),
        ({"size": 1, "sampler": {"steps": "5"}}, r"'sampler\.steps' must be a whole number"),
    ],
)
def test_errors_name_the_key_and_the_file(values, message):
    with pytest.raises(ConfigError, match=message):
        config_from_dict(Recipe, values, source="r.toml")


def test_files_that_are_no_configuration(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        read_config(Recipe, tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match=r"r\.toml cannot be parsed"):
        read_config(Recipe, write(tmp_path / "r.toml", "size = = 3"))
    with pytest.raises(ConfigError, match="must hold a table"):
        read_config(Recipe, write(tmp_path / "r.json", "[1]"))
    with pytest.raises(OutputError, match="does not exist; create it first"):
        write_config(Recipe(size=1), tmp_path / "absent" / "r.json")


def test_overrides_that_cannot_be_applied():
    with pytest.raises(ConfigError, match="has no '='"):
        apply_overrides({}, ["size"])
    with pytest.raises(ConfigError, match="'size' is a value"):
        apply_overrides({"size": 1}, ["size.x=2"])


def test_absent_keys_of_a_table_keep_the_default_that_the_table_has():
    @dataclass(frozen=True, kw_only=True)
    class Outer:
        sampler: Sampler = Sampler(name="ddpm", eta=0.5)

    read = config_from_dict(Outer, {"sampler": {"steps": 5}}, source="x")
    assert read.sampler == Sampler(name="ddpm", eta=0.5, steps=5)
