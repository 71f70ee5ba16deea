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
picture = torch.rand(1, 8, 256, 256)

@torch.no_grad()
def compute(item=0):
    return float(network(picture).exp().sum())

def in_fork(work):
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(30)
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


@pytest.mark.parametrize("code", [COMPUTES, GOES_ON])
def test_a_fork_of_a_process_that_has_computed(code):
    command, folder = [sys.executable, "-c", PARENT + code], Path(__file__).parents[1]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert (ended.returncode, ended.stderr) == (0, "")
