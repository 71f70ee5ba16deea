import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fadm.errors import ConfigError, PackageError
from fadm.training import tasks
from fadm.training.objectives.distillation import DistillationStages
from fadm.training.options import DataOptions
from fadm.training.processes import join_processes
from fadm.training.recipes import DistillationRecipe, RendererRecipe
from fadm.training.run import estimate, plan_stages, train
from tests.training.runs import OPTIMIZER, RUN, make_task

RECIPE = RendererRecipe(
    run=replace(RUN, steps=2), optimizer=OPTIMIZER, discriminator_optimizer=OPTIMIZER, data=DataOptions(workers=0)
)


@pytest.fixture(autouse=True)
def prepared(monkeypatch):
    """In place of reading data: the tests' own task, with two pairs prepared."""

    def renderer_task(recipe, report):
        report("pairs", 2, 2)
        return make_task()

    monkeypatch.setattr(tasks, "renderer_task", renderer_task)


def test_a_run_reports_and_returns_its_weights_and_is_resumed(tmp_path):
    reports, lines = [], []
    weights = train(RECIPE, tmp_path / "run", report=reports.append, announce=lines.append)
    assert weights == {"fadm": tmp_path / "run" / "fadm-best.safetensors"} and weights["fadm"].exists()
    assert [(report.step, report.steps) for report in reports] == [(0, 2), (1, 2), (2, 2), (2, 2)]
    assert "validation/size" in reports[0].numbers and "picture" in reports[1].numbers
    assert [line.partition(": ")[2].split(";")[0] for line in lines] == [
        "2 of 2",
        "the whole recipe is in recipe.json",
        "done",
    ]
    reports.clear()
    assert train(RECIPE, str(tmp_path / "run"), report=reports.append) == weights
    assert reports == []  # nothing is left to be done
    with pytest.raises(ConfigError, match=r"holds a run with run\.steps = 2, now 3"):
        train(replace(RECIPE, run=replace(RECIPE.run, steps=3)), tmp_path / "run")


def test_an_estimate_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = []
    costs = estimate(RECIPE, announce=lines.append)
    assert costs.parameters.keys() == {"generator", "discriminator"} and costs.seconds > 0
    assert lines == ["pairs: 2 of 2"] and list(tmp_path.iterdir()) == []


def test_a_batch_that_cannot_be_divided_is_refused_before_the_folder_is_made(tmp_path):
    with pytest.raises(ConfigError, match="a batch of 4"):
        train(replace(RECIPE, run=replace(RECIPE.run, accumulation=3)), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_each_student_is_the_next_teacher(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(tasks, "distillation_task", lambda recipe, config, teacher, report: given.append(teacher))
    recipe = DistillationRecipe(teacher="fadm", objective=DistillationStages(teacher_steps=8, steps=(4, 1)))
    stages = plan_stages(recipe, tmp_path)
    assert [stage.title for stage in stages] == ["from 8 steps to 4", "from 4 steps to 1"]
    assert [stage.folder.path for stage in stages] == [tmp_path / "steps-4", tmp_path / "steps-1"]
    for stage in stages:
        stage.build_task(lambda what, done, total: None)
    assert given == ["fadm", str(tmp_path / "steps-4" / "fadm-best.safetensors")]
    assert [stage.folder.path for stage in plan_stages(RECIPE, Path("runs"))] == [Path("runs")]


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(PackageError, match=r"training needs the package accelerate.*pip install '\.\[train\]'"):
        join_processes()
