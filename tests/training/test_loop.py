import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fadm.errors import TrainingError, WeightsError
from fadm.training.checkpoint import TrainedModule
from fadm.training.loop import Validation
from fadm.training.objective import ObjectiveOutput
from fadm.training.run_folder import read_metrics
from fadm.training.step import set_learning_rate
from fadm.weights.store import read_metadata
from tests.training import runs
from tests.training.runs import OPTIMIZER, RUN, run_training

LATEST = "latest.safetensors"


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)


def losses_of(folder):
    return [
        {name: value for name, value in line.items() if name != "samples_per_second"}
        for line in read_metrics(folder / "metrics.jsonl")
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run in one go, in a process of its own."""
    folder = tmp_path_factory.mktemp("whole")
    assert start("-m", "tests.training.runs", str(folder)).returncode == 0
    return folder


def test_a_killed_run_resumes_bit_by_bit(whole, tmp_path):
    killed = start("-m", "tests.training.runs", str(tmp_path), "5")
    assert killed.returncode == -signal.SIGKILL
    assert len(losses_of(tmp_path)) == 7  # five steps and two validations, of which the checkpoint knows four steps
    assert start("-m", "tests.training.runs", str(tmp_path)).returncode == 0
    expected, resumed = load_file(whole / LATEST), load_file(tmp_path / LATEST)
    assert expected.keys() == resumed.keys() and any("exp_avg_sq" in key for key in expected)
    assert all(torch.equal(expected[key], resumed[key]) for key in expected)
    assert losses_of(whole) == losses_of(tmp_path)
    for name in ("fadm-best.safetensors", "fadm-last.safetensors"):
        assert read_metadata(whole / name) == read_metadata(tmp_path / name)  # their hash of the tensors, too


@pytest.mark.slow
def test_two_processes_learn_what_one_does_and_resume_bit_by_bit(whole, tmp_path):
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "tests.training.runs")
    done = start(*launch, str(tmp_path / "both"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("2 processes") == 2
    for one, two in zip(losses_of(whole), losses_of(tmp_path / "both"), strict=True):
        assert one == pytest.approx(two, rel=1e-4, abs=1e-6)
    assert start(*launch, str(tmp_path / "killed"), "5").returncode != 0
    assert start(*launch, str(tmp_path / "killed")).returncode == 0
    assert losses_of(tmp_path / "both") == losses_of(tmp_path / "killed")
    expected, resumed = (load_file(tmp_path / name / LATEST) for name in ("both", "killed"))
    assert expected.keys() == resumed.keys() == load_file(whole / LATEST).keys()
    assert all(torch.equal(expected[key], resumed[key]) for key in expected)


def test_accumulated_steps_are_the_same_steps(tmp_path):
    run_training(tmp_path / "at once")
    run_training(tmp_path / "in parts", accumulation=2)
    for one, two in zip(losses_of(tmp_path / "at once"), losses_of(tmp_path / "in parts"), strict=True):
        assert one == pytest.approx(two, rel=2e-3, abs=1e-6)


def test_asked_to_stop_a_checkpoint_is_written_first(tmp_path):
    def ask(report):
        if report.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        run_training(tmp_path, ask, checkpoint_every=100, validate_every=100)
    assert signal.getsignal(signal.SIGTERM) is before
    assert run_training(tmp_path).step == RUN.steps
    steps = [line["step"] for line in losses_of(tmp_path) if "picture" in line]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_a_damaged_checkpoint_is_refused(tmp_path):
    run_training(tmp_path, steps=2)
    content = (tmp_path / LATEST).read_bytes()
    (tmp_path / LATEST).write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match="no readable checkpoint"):
        run_training(tmp_path)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path, monkeypatch):
    def diverge(generator, batch, discriminator):
        return ObjectiveOutput({"picture": next(generator.parameters()).sum() * float("nan")}, {})

    monkeypatch.setattr("fadm.training.objectives.renderer.RendererTraining.forward", diverge)
    with pytest.raises(TrainingError, match=r"lower optimizer\.learning_rate"):
        run_training(tmp_path)
    assert not (tmp_path / LATEST).exists()


def test_a_score_that_is_no_number_does_not_replace_the_best_weights(tmp_path, monkeypatch):
    scores = iter([3.0, 2.0, float("nan"), 2.5])  # the first one is before the first step
    grid = np.zeros((4, 4, 3), np.uint8)
    monkeypatch.setattr(runs, "validate", lambda networks: Validation({"size": next(scores)}, grid))
    assert run_training(tmp_path, validate_every=2).best == 2.0
    steps = [read_metadata(tmp_path / f"fadm-{which}.safetensors")["steps"] for which in ("best", "last")]
    assert steps == ["2", "6"]


def test_learning_rate_warms_up_and_falls_along_a_cosine():
    parameter = torch.nn.Parameter(torch.zeros(1))
    trained = TrainedModule(torch.nn.Identity(), torch.optim.AdamW([parameter]))
    rates = []
    for step in (0, 1, 50, 100):
        set_learning_rate(trained, replace(OPTIMIZER, learning_rate=1.0, warmup_steps=2), step, 100)
        rates.append(trained.optimizer.param_groups[0]["lr"])
    # shares 1, 0.99975, 0.5, 0 of the cosine between 1 and 0.05
    assert rates == pytest.approx([0.5, 0.95 * 0.5 * (1 + torch.pi / torch.pi * 0.9995065604) + 0.05, 0.525, 0.05])


def test_metrics_are_json_lines(tmp_path):
    run_training(tmp_path, steps=2)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [0, 1, 2, 2]
    assert "validation/size" in json.loads(lines[0]) and "validation/size" in json.loads(lines[3])
    assert list((tmp_path / "tensorboard").iterdir()) and (tmp_path / "samples" / "0000002.png").exists()


def test_a_run_with_parts_switched_off_resumes(tmp_path, monkeypatch):
    conditioner = replace(runs.RENDERER.conditioner, use_motion=False)
    objective = replace(runs.OBJECTIVE, renderer=replace(runs.RENDERER, conditioner=conditioner))
    monkeypatch.setattr(runs, "OBJECTIVE", objective)

    def ask(report):
        if report.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    run_training(tmp_path / "whole", steps=4, validate_every=4)
    with pytest.raises(KeyboardInterrupt):
        run_training(tmp_path / "parts", ask, steps=4, validate_every=4)
    run_training(tmp_path / "parts", steps=4, validate_every=4)
    whole, parts = load_file(tmp_path / "whole" / LATEST), load_file(tmp_path / "parts" / LATEST)
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
