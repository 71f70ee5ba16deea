"""The examples run as they are; each is given a folder, or a file in it, for what it writes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.reference import load_case
from tests.weights.released_files import nested_entries

EXAMPLES = Path(__file__).parents[1] / "examples"


def run_example(name: str, argument: Path | str, folder: Path) -> list[str]:
    """Run an example; return the lines that it prints."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "FADM_HOME": str(folder / "home")}
    command = [sys.executable, EXAMPLES / name, argument]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("name", "output", "last_line"),
    [
        ("animate.py", "animate.mp4", "written: "),
        pytest.param("train.py", "run", "The best weights are in", marks=pytest.mark.slow),
        pytest.param("edit.py", "edit.png", "written: ", marks=pytest.mark.slow),
        pytest.param("enhance.py", "enhance.mp4", "written: ", marks=pytest.mark.slow),
        pytest.param("evaluate.py", "evaluation", "L1: ", marks=pytest.mark.slow),
    ],
)
def test_an_example_runs(name, output, last_line, tmp_path):
    lines = run_example(name, tmp_path / output, tmp_path)
    assert lines[-1].startswith(last_line)
    assert (tmp_path / output).exists()


@pytest.mark.slow
def test_shipped_weights_are_shown(tmp_path):
    lines = run_example("load_weights.py", "fadm_small", tmp_path)
    assert lines[0] == "fadm_small: a network of kind fadm, attributes landmarks"
    assert lines[-1].startswith("parameters: ")


@pytest.mark.slow
def test_released_weights_are_imported_and_shown(tmp_path):
    torch.save({"model": nested_entries(load_case("fadm_tiny"))}, tmp_path / "fadm.pth")
    lines = run_example("load_weights.py", tmp_path / "fadm.pth", tmp_path)
    assert lines[0] == "fadm: a network of kind fadm, attributes deca"
    assert lines[1].startswith("terms of use: ") and lines[2].startswith("configuration: RendererConfig(")
    assert (tmp_path / "home" / "weights" / "fadm.safetensors").exists()
