import json
import os
import signal

import pytest

from fadm.cli import train as command
from fadm.config import config_to_dict
from fadm.rendering.loading import load_renderer
from fadm.training import pairs
from fadm.training.recipes import RendererRecipe
from fadm.weights.store import read_metadata
from tests.cli.command import error_line, run_fadm
from tests.training.runs import RENDERER

SYNTHETIC = pairs.SyntheticOptions


def to_toml(values, prefix=""):
    """Nested tables of numbers, texts and lists as TOML; what is None is left out."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items() if not isinstance(value, dict | None)]
    tables = [to_toml(value, f"{prefix}{key}.") for key, value in values.items() if isinstance(value, dict)]
    return "\n".join([f"[{prefix.removesuffix('.')}]" if prefix else "", *lines, *tables])


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def recipe(tmp_path, cache, monkeypatch):
    """A tiny renderer trained on synthetic faces, of three identities."""
    monkeypatch.setattr(
        pairs, "SyntheticOptions", lambda size: SYNTHETIC(clips=2, validation_clips=1, frames=3, size=size)
    )
    values = {
        "kind": "renderer",
        "objective": {"picture_weight": 1.0, "renderer": config_to_dict(RENDERER)},
        "data": {"size": 64, "cache": str(cache), "workers": 0},
        "coarse": {"validation_pairs_per_clip": 1, "pairs": {"sources_per_clip": 1, "drivings_per_source": 2}},
        "run": {"steps": 2, "batch_size": 2, "validation_samples": 2, "log_every": 1, "precision": "float32"},
        "render": {"sampler": "ddim", "num_steps": 1, "eta": 0},
    }
    path = tmp_path / "tiny.toml"
    path.write_text(to_toml(values))
    return path


def test_a_dry_run_tells_what_it_will_take_and_trains_nothing(tmp_path, capsys, recipe):
    assert run_fadm("train", "renderer", recipe, "-o", tmp_path / "run", "--dry-run", "-s", "run.steps=7") == 0
    said = capsys.readouterr().out
    resolved, _ = json.JSONDecoder().raw_decode(said, said.index("\n{") + 1)
    assert resolved["run"]["steps"] == 7 and resolved["optimizer"]["learning_rate"] == 2e-4  # a default
    assert resolved.keys() == config_to_dict(RendererRecipe()).keys()
    last = said.splitlines()[-1]
    assert last.startswith("generator 0.0 M parameters; ") and "7 steps of 2 take about 0.0 hours" in last
    assert not (tmp_path / "run").exists()


def test_trained_without_any_data_and_then_the_same_command_again(tmp_path, capsys, recipe):
    run = tmp_path / "run"
    assert run_fadm("train", "renderer", recipe, "-o", run) == 0
    said = capsys.readouterr().out
    assert "step 2 of 2: denoising" in said and f"{run}: done" in said
    names = {"recipe.json", "metrics.jsonl", "tensorboard", "samples", "latest.safetensors"}
    weights = run / "fadm-best.safetensors"
    assert {path.name for path in run.iterdir()} == names | {weights.name, "fadm-last.safetensors"}
    metadata = read_metadata(weights)
    assert metadata["kind"] == "fadm" and metadata["licence"] == "Apache-2.0" and "2 clips" in metadata["trained_on"]
    assert load_renderer(weights).config == RENDERER

    before = {path: path.read_bytes() for path in run.glob("*.safetensors")}
    assert run_fadm("train", "renderer", recipe, "-o", run) == 0
    assert "step" not in capsys.readouterr().out.replace("steps", "")  # nothing is left to be done
    assert before == {path: path.read_bytes() for path in run.glob("*.safetensors")}


def test_another_recipe_in_the_same_folder_is_refused(tmp_path, capsys, recipe):
    run = tmp_path / "run"
    assert run_fadm("train", "renderer", recipe, "-o", run) == 0
    capsys.readouterr()
    assert run_fadm("train", "renderer", recipe, "-o", run, "-s", "run.seed=5") == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"fadm: {run} holds a run with run.seed = 0, now 5; give the same recipe to resume it")


def test_interrupted_it_says_so_and_resumes(tmp_path, capsys, recipe, monkeypatch):
    run, show = tmp_path / "run", command._show_step

    def interrupt(report, console):
        show(report, console)
        if report.step == 1 and "denoising" in report.numbers:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(command, "_show_step", interrupt)
    assert run_fadm("train", "renderer", recipe, "-o", run) == 130
    said = capsys.readouterr()
    assert said.err == "fadm: interrupted\n" and "step 2" not in said.out
    assert (run / "latest.safetensors").exists()
    monkeypatch.setattr(command, "_show_step", show)
    assert run_fadm("train", "renderer", recipe, "-o", run) == 0
    said = capsys.readouterr().out
    assert "step 1 of" not in said and "step 2 of 2: denoising" in said


@pytest.mark.slow
def test_distillation_goes_stage_by_stage(tmp_path, capsys, recipe):
    teacher = tmp_path / "teacher"
    assert run_fadm("train", "renderer", recipe, "-o", teacher) == 0
    values = recipe.read_text()
    stages = tmp_path / "stages.toml"
    rest = values[values.index("[data]") : values.index("[render]")]
    weights = json.dumps(str(teacher / "fadm-best.safetensors"))
    stages.write_text(f"teacher = {weights}\n[objective]\nteacher_steps = 4\nsteps = [2, 1]\n{rest}")
    capsys.readouterr()
    assert run_fadm("train", "distill", stages, "-o", tmp_path / "run", "--dry-run") == 0
    assert "from 4 steps to 2" in capsys.readouterr().out and not (tmp_path / "run").exists()
    assert run_fadm("train", "distill", stages, "-o", tmp_path / "run") == 0
    said = capsys.readouterr().out
    assert said.index("from 4 steps to 2") < said.index("from 2 steps to 1")
    assert load_renderer(tmp_path / "run" / "steps-1" / "fadm-best.safetensors").config == RENDERER


MISTAKES = [
    ("fomm {recipe} -o {out}", "{recipe} is a recipe of kind 'renderer', not 'fomm'; use fadm train renderer"),
    ("renderer {recipe} -o {out} -s run.step=3", "{recipe}: unknown key 'run.step'; did you mean 'steps'"),
    ("renderer {recipe} -o {out} -s run.steps", "override 'run.steps' has no '=': write it as key=value"),
    ("renderer {out}.toml -o {out}", "cannot read the configuration {out}.toml: No such file or directory"),
    ("renderer {recipe} -o {out} --data {out}.tar", "data.shards are given but no data.validation"),
    (
        "renderer {recipe} -o {out} --data {out}.tar --validation {out}.tar",
        "'{out}.tar' holds no shard",
    ),
]


@pytest.mark.parametrize(("line", "said"), MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_made(tmp_path, capsys, recipe, line, said):
    names = {"recipe": recipe, "out": tmp_path / "out"}
    assert run_fadm("train", *line.format(**names).split()) == 2
    assert error_line(capsys).startswith(said.format(**names))
    assert not names["out"].exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("run.start=fadm_small", "--commercial refuses fadm_small, whose terms are: research and non-commercial use"),
        ("coarse.generator=fadm_small", "--commercial refuses fadm_small, whose terms are"),
        ("data.shards=['a.tar']", "--commercial refuses data.tier = 'all'; give -s data.tier=open"),
    ],
)
def test_terms_that_forbid_commercial_use_are_refused(tmp_path, capsys, recipe, change, message):
    assert run_fadm("train", "renderer", recipe, "-o", tmp_path / "run", "--commercial", "-s", change) == 2
    assert error_line(capsys).startswith(message)
    assert not (tmp_path / "run").exists()


def test_training_on_open_terms_is_commercial(tmp_path, capsys, recipe):
    assert run_fadm("train", "renderer", recipe, "-o", tmp_path / "run", "--commercial") == 0
    assert read_metadata(tmp_path / "run" / "fadm-best.safetensors")["commercial"] == "true"
    line = ("train", "distill", tmp_path / "distill.toml", "-o", tmp_path / "other", "--commercial")
    (tmp_path / "distill.toml").write_text('kind = "distill"\nteacher = "fadm_small"\n')
    capsys.readouterr()
    assert run_fadm(*line) == 2
    assert error_line(capsys).startswith("--commercial refuses fadm_small")
