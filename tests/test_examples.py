"""The examples run as they are; each is given a folder, or a file in it, for what it writes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize(("name", "output", "last_line"), [("train.py", "run", "The best weights are in")])
def test_an_example_runs(name, output, last_line, tmp_path):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, EXAMPLES / name, tmp_path / output]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(last_line)
    assert (tmp_path / output).exists()
