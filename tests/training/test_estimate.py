import pytest
import torch
from torch import nn

from fadm.training.estimate import estimate_run
from fadm.training.loop import Task
from fadm.training.objective import Objective, ObjectiveOutput
from fadm.training.options import RunOptions
from tests.training.runs import MadeUpSamples, make_task, validate


class Product(nn.Module):
    """56 attributes to 3 numbers, beside a frozen part."""

    def __init__(self):
        super().__init__()
        self.learned, self.frozen = nn.Linear(56, 3, bias=False), nn.Linear(7, 7).requires_grad_(False)

    def forward(self, batch, discriminator):
        return ObjectiveOutput({"sum": self.learned(batch["attributes_source"]).sum()}, {})


def test_operations_and_parameters_have_their_closed_form():
    product = Product()
    task = Task(Objective(product, None, {}), MadeUpSamples(), validate, {})
    run = RunOptions(steps=50, batch_size=8, precision="float32")
    estimate = estimate_run(task, run)
    assert estimate.parameters == {"generator": 56 * 3}
    # forward and gradient of the weights, each a product and a sum; the input needs no gradient
    assert estimate.gflops == pytest.approx(2 * 2 * 56 * 3 / 1e9)
    assert estimate.seconds == pytest.approx(50 * 8 / estimate.samples_per_second)
    assert 0.05 < estimate.gigabytes < 100


def test_a_generator_and_its_discriminator_are_measured_and_left_as_they_are():
    task = make_task()
    before = [tensor.clone() for tensor in task.objective.generator.state_dict().values()]
    estimate = estimate_run(task, RunOptions(steps=2, batch_size=4, accumulation=2, precision="float32"))
    assert estimate.parameters.keys() == {"generator", "discriminator"} and min(estimate.parameters.values()) > 500
    assert estimate.gflops > 0 and estimate.samples_per_second > 0
    after = task.objective.generator.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
