"""Processes that are forked after use, such as a web server's workers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system forks no processes")

# The parent computes in two threads, so that OpenMP has threads that no fork has.
PARENT = """
import multiprocessing, sys
import torch
from fadm.device import map_ahead
from fadm.errors import FadmError
from fadm.weights.store import load_into

torch.set_num_threads(2)
network = torch.nn.Conv2d(8, 8, 3)
load_into(network, network.state_dict(), source="itself")
picture = torch.rand(1, 8, 96, 96)

@torch.no_grad()
def compute(item=0):
    return float(network(picture).exp().sum())

def in_fork(work):
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(120)
    if process.is_alive():
        process.kill()
        sys.exit("the fork hangs")
    return process.exitcode

expected = compute()
"""

COMPUTES = """
def work():
    assert abs(compute() - expected) < 1e-3 * expected
    assert len(list(map_ahead(compute, range(5), 2))) == 5
    assert abs(compute() - expected) < 1e-3 * expected  # the limit outlasts the use of threads

assert len(list(map_ahead(compute, range(5), 2))) == 5
sys.exit(in_fork(work))
"""

GOES_ON = """
results = map_ahead(compute, range(9), 2)
next(results)

def work():
    try:
        list(results)
    except FadmError as error:
        assert "begin them after the fork" in str(error)
    else:
        sys.exit("no error")
    compute()

code = in_fork(work)
assert len(list(results)) == 8 and torch.get_num_threads() == 2
sys.exit(code)
"""


ANIMATES = """
import sys
from pathlib import Path
import numpy as np
from fadm import AnimateOptions, Animator
from tests.clips import carphone_frames, write_clip
from tests.media.samples import ASTRONAUT

clip = write_clip(Path(sys.argv[1]) / "a.mp4", carphone_frames()[:3])
animator = Animator(device="cpu")

def animate():
    for renderer in ("none", "auto"):
        yield from animator.animate(ASTRONAUT, clip, AnimateOptions(crop=True, size=64, renderer=renderer))

frames = list(animate())

def work():
    again = list(animate())
    assert len(again) == len(frames) == 6 and all(np.abs(a - 1.0 * b).max() <= 1 for a, b in zip(again, frames))

codes = [in_fork(work) for _ in range(2)]
assert len(list(animate())) == 6  # the parent goes on
sys.exit(max(codes))
"""


@pytest.mark.parametrize("code", [COMPUTES, GOES_ON, pytest.param(ANIMATES, marks=pytest.mark.slow)])
def test_a_fork_of_a_process_that_has_computed(tmp_path, code):
    command, folder = [sys.executable, "-c", PARENT + code, str(tmp_path)], Path(__file__).parents[1]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert (ended.returncode, ended.stderr) == (0, "")
