import numpy as np
import pytest
import torch
from torch import nn

from fadm.metrics.pixel import l1, psnr
from fadm.rendering.options import RenderOptions
from fadm.rendering.renderer import DiffusionRenderer
from fadm.training import validation
from fadm.training.objective import to_unit
from fadm.training.validation import HeldOut, animate_batch, render_batch
from tests.training.runs import RENDERER, SIDE, MadeUpSamples

NETWORKS = {"fadm": nn.Linear(1, 1)}


@pytest.fixture
def no_features(monkeypatch):
    """As without the package of pretrained weights."""
    monkeypatch.setattr(validation, "_load_features", lambda: None)


def stack(name, count):
    return to_unit(torch.stack([MadeUpSamples()[number][name] for number in range(count)]))


def test_numbers_are_means_over_all_samples(no_features):
    judge = HeldOut(MadeUpSamples(), 11, lambda networks, batch: batch["driving"] * 0.8, "coarse")
    judged = judge(NETWORKS)
    driving, coarse = stack("driving", 11), stack("coarse", 11)
    expected = {
        "l1": l1(0.8 * driving, driving),
        "psnr": psnr(0.8 * driving, driving),
        "l1_coarse": l1(coarse, driving),
        "psnr_coarse": psnr(coarse, driving),
    }
    assert list(judged.numbers) == list(expected)  # the first one chooses the best weights
    for name, values in expected.items():
        assert judged.numbers[name] == pytest.approx(float(values.mean()), rel=1e-5)


def test_the_features_distance_is_0_for_the_picture_itself_alone():
    judged = HeldOut(MadeUpSamples(), 2, lambda networks, batch: batch["driving"], "source")(NETWORKS)
    assert judged.numbers["perceptual"] == pytest.approx(0, abs=1e-4) and judged.numbers["l1"] == 0
    assert judged.numbers["perceptual_source"] > 0.1 and judged.numbers["l1_source"] > 0.1


def test_the_sheet_shows_source_driving_baseline_and_result(no_features):
    judge = HeldOut(MadeUpSamples(), 20, lambda networks, batch: 2 * torch.ones_like(batch["driving"]), "coarse")
    grid = judge(NETWORKS).grid
    assert grid.shape == (3 * SIDE, 4 * SIDE, 3) and grid.dtype == np.uint8  # a row for each batch of 8
    first = [MadeUpSamples()[0][name].permute(1, 2, 0).numpy() for name in ("source", "driving", "coarse")]
    for column, picture in enumerate(first):
        assert np.abs(grid[:SIDE, column * SIDE : (column + 1) * SIDE].astype(int) - picture).max() <= 1
    assert (grid[:, 3 * SIDE :] == 255).all()  # limited to what a picture can show


def test_a_renderer_is_judged_as_it_renders(no_features):
    torch.manual_seed(0)
    networks = {"fadm": DiffusionRenderer(RENDERER).eval()}
    options = RenderOptions(sampler="ddim", num_steps=1, eta=0, precision="float32")
    numbers = HeldOut(MadeUpSamples(), 3, render_batch(options), "coarse")(networks).numbers
    assert numbers["l1"] == pytest.approx(numbers["l1_coarse"], rel=1e-5)  # an untrained one changes nothing
    with torch.no_grad():
        networks["fadm"].unet.head.conv.bias[:12] += 8 * 0.1  # colours of 2x2 pixels, times 8
    moved = HeldOut(MadeUpSamples(), 3, render_batch(options), "coarse")(networks).numbers
    assert moved["l1"] < numbers["l1"] - 0.05  # the coarse frames are too dark


def test_a_coarse_generator_is_judged_as_it_animates(no_features):
    class Halving(nn.Linear):
        """Its state is half of the source; driven, it is brighter by a tenth of the driving frame."""

        def prepare(self, source):
            return source / 2

        def drive(self, state, driving):
            return state + driving / 10

    numbers = HeldOut(MadeUpSamples(), 3, animate_batch("fomm"), "source")({"fomm": Halving(1, 1)}).numbers
    source, driving = stack("source", 3), stack("driving", 3)
    assert numbers["l1"] == pytest.approx(float(l1(source / 2 + driving / 10, driving).mean()), rel=1e-5)
