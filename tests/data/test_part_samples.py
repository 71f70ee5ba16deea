"""Windows of mouth and eyes from training pairs."""

import numpy as np
import pytest
import torch

from fadm.data.pairs.generators import make_pair_generator
from fadm.data.pairs.store import PairOptions, build_coarse_pairs
from fadm.data.part_samples import PartSamples, jitter_windows
from fadm.face.region import Region
from fadm.rendering.parts import OPENING, WINDOW
from tests.data.made_up_clips import write_clips


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    clips = write_clips(tmp_path_factory.mktemp("clips"), clips=2, frames=3)
    options = PairOptions(size=64, sources_per_clip=1, drivings_per_source=2, mirrored=True)
    make = make_pair_generator("geometric", 0.5, "landmarks", ("landmarks",))
    return build_coarse_pairs(clips, options, make, tmp_path_factory.mktemp("pairs"))


def test_a_sample_is_a_function_of_its_number(pairs):
    first, again = PartSamples(pairs, 3)[5], PartSamples(pairs, 3)[5]
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first["driving"], PartSamples(pairs, 3)[number]["driving"]) for number in range(4))


def test_samples_are_windows_with_their_contours(pairs):
    samples = [PartSamples(pairs, 0, is_jittered=False)[number] for number in range(24)]
    for sample in samples:
        assert sample["source"].shape == sample["driving"].shape == sample["coarse"].shape == (3, WINDOW, WINDOW)
        assert sample["contours"].shape == (2, WINDOW, WINDOW) and sample["contours"].max() > 0
        assert torch.equal(sample["attention"][0] > 0, sample["contours"][1] > 0)
    mouths = [sample["contours"].max() <= OPENING for sample in samples]
    assert 4 < sum(mouths) < 20  # mouths and eyes


def test_the_coarse_window_is_nearer_to_the_truth_than_the_sources(pairs):
    samples = [PartSamples(pairs, 0, is_jittered=False)[number] for number in range(24)]

    def error(name: str) -> float:
        return float(np.mean([(s[name].float() - s["driving"].float()).abs().mean() for s in samples]))

    assert error("coarse") < error("source")


def test_windows_are_jittered_alike():
    regions, own = [Region(50, 60, 20, 0.1)], [Region(10, 10, 10, 0.0)]
    (moved,), (moved_own,) = jitter_windows(regions, own, np.random.default_rng(0))
    assert moved != regions[0] and moved.side / 20 == pytest.approx(moved_own.side / 10)
    assert moved.angle - 0.1 == pytest.approx(moved_own.angle)
    away = np.hypot(moved.x - 50, moved.y - 60) / 20
    assert away == pytest.approx(np.hypot(moved_own.x - 10, moved_own.y - 10) / 10)
