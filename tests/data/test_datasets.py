from collections import Counter

import numpy as np
import pytest
import torch

from fadm.data import datasets as batches
from fadm.data.clips import read_face
from fadm.data.datasets import ClipSamples, RendererSamples, StepBatches, jitter_colors
from fadm.data.pairs.generators import CoarsePair
from fadm.data.pairs.store import PairOptions, build_coarse_pairs
from fadm.errors import ConfigError
from tests.data.made_up_clips import SIDE, MixingMaker, give_identity, write_clips


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return write_clips(tmp_path_factory.mktemp("clips"), clips=4)


@pytest.fixture(scope="module")
def pairs(clips, tmp_path_factory):
    options = PairOptions(size=SIDE, sources_per_clip=2, drivings_per_source=2)
    return build_coarse_pairs(clips, options, MixingMaker(), tmp_path_factory.mktemp("pairs"))


class Draws:
    """Random numbers that are given beforehand: three factors, then the turn of the hue."""

    def __init__(self, *factors, hue=0.0):
        self.factors, self.hue = factors, hue

    def uniform(self, low, high, size=None):
        return np.array(self.factors) if size else self.hue * high


@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("world", [1, 2, 4])
def test_many_processes_share_the_batch_of_one(world, accumulation):
    shares = [list(StepBatches(3, 6, 8, accumulation=accumulation, rank=rank, world=world)) for rank in range(world)]
    assert {len(share) for share in shares} == {3 * accumulation}
    assert {len(numbers) for share in shares for numbers in share} == {8 // world // accumulation}
    for step in range(3):
        parts = [share[step * accumulation + part] for share in shares for part in range(accumulation)]
        assert sorted(number for numbers in parts for number in numbers) == list(range(8 * (3 + step), 8 * (4 + step)))


def test_a_resumed_run_goes_on_with_the_next_numbers():
    whole = StepBatches(0, 5, 4, accumulation=2)
    assert list(StepBatches(3, 5, 4, accumulation=2)) == list(whole)[6:] and len(whole) == 10
    assert list(StepBatches(5, 5, 4)) == []


def test_a_batch_that_cannot_be_shared_out_is_refused():
    with pytest.raises(ConfigError, match=r"batch of 10 cannot be shared out among 2 processes in 2 parts"):
        StepBatches(0, 1, 10, accumulation=2, world=2)


@pytest.mark.parametrize("kind", ["renderer", "clips"])
def test_samples_are_functions_of_seed_and_number(clips, pairs, kind):
    def build(seed, is_jittered=True):
        if kind == "renderer":
            return RendererSamples(pairs, seed, is_jittered=is_jittered)
        return ClipSamples(clips, SIDE, seed, is_jittered=is_jittered)

    first, again, other = build(0), build(0), build(1)
    forwards = {number: first[number] for number in range(6)}
    backwards = {number: again[number] for number in reversed(range(6))}
    for number, sample in forwards.items():
        assert sample.keys() == backwards[number].keys()
        assert all(torch.equal(sample[name], backwards[number][name]) for name in sample)
    seeds = [int(sample["seed"]) for sample in (*forwards.values(), other[0])]
    assert len(set(seeds)) == 7
    assert any(not torch.equal(forwards[i]["driving"], other[i]["driving"]) for i in range(3))
    plain = build(0, is_jittered=False)[0]
    assert not torch.equal(plain["source"], forwards[0]["source"])
    difference = plain["source"].float() - forwards[0]["source"].float()
    assert difference.abs().mean() < 30


def test_a_renderers_sample_is_a_pair_and_where_people_look(pairs):
    sample = RendererSamples(pairs, 0, is_jittered=False)[5]
    for name in ("source", "driving", "coarse"):
        assert sample[name].shape == (3, SIDE, SIDE) and sample[name].dtype == torch.uint8
    assert torch.equal(sample["coarse"], sample["source"] // 2 + sample["driving"] // 2)
    assert sample["attention"].shape == (1, SIDE, SIDE) and set(sample["attention"].unique().tolist()) == {0, 85, 255}
    assert sample["attributes_source"].shape == sample["attributes_driving"].shape == (56,)
    rows = [
        row for row in range(len(pairs)) if np.array_equal(pairs.coarse(row).attributes[0], sample["attributes_source"])
    ]
    (source, driving), plain = pairs.frames(rows[0]), sample
    assert torch.equal(plain["source"], batches.to_channels(source))
    assert torch.equal(plain["driving"], batches.to_channels(driving.pixels))


def test_a_renderers_sample_has_the_layers_of_its_pairs(clips, pairs, tmp_path):
    """The masks that inference makes are stored with the coarse frames; they stay, whatever the colours."""
    plain = RendererSamples(pairs, 0, is_jittered=False)[5]
    generator = MixingMaker("with layers", layers=("person", "confidence"))
    layered = build_coarse_pairs(clips, pairs.options, generator, tmp_path)
    for is_jittered in (False, True):
        sample = RendererSamples(layered, 0, is_jittered=is_jittered)[5]
        assert sample.keys() - plain.keys() == {"person", "confidence"}
        assert sample["person"].shape == (2, SIDE, SIDE) and (sample["person"] == 100).all()
        assert sample["confidence"].shape == (1, SIDE, SIDE) and (sample["confidence"] == 200).all()
        assert sample["person"].dtype == sample["confidence"].dtype == torch.uint8


class Rows:
    """One person with a row, one with nine."""

    def __init__(self, face):
        self.seen, self.face = Counter(), face

    def groups(self):
        return [[0], list(range(1, 10))]

    def frames(self, row):
        self.seen[row] += 1
        return self.face.pixels, self.face

    def coarse(self, row):
        return CoarsePair(self.face.pixels, np.zeros((2, 56), np.float32))


def test_a_renderer_sees_people_equally_often(clips):
    rows = Rows(read_face(clips[0], 0, SIDE))
    samples = RendererSamples(rows, 0, is_jittered=False)
    for number in range(400):
        samples[number]
    assert 160 < rows.seen[0] < 240  # 200 expected, deviation 10
    assert len(rows.seen) == 10


def test_stills_have_a_share_of_a_renderers_samples(clips):
    face = read_face(clips[0], 0, SIDE)
    videos, stills = Rows(face), Rows(face)
    samples = RendererSamples(videos, 0, stills=stills, stills_share=0.25, is_jittered=False)
    for number in range(400):
        samples[number]
    assert 66 < stills.seen.total() < 134  # 100 expected, deviation 8.7
    assert videos.seen.total() + stills.seen.total() == 400
    assert 0.3 < stills.seen[0] / stills.seen.total() < 0.7
    assert RendererSamples(videos, 0, stills_share=1.0).stills_share == 0


def test_a_coarse_generator_sees_people_equally_often(clips, monkeypatch):
    seen, faces = Counter(), {}

    def read(clip, frame, size, mirrored):
        seen[clip.key] += 1
        seen["mirrored"] += mirrored
        return faces.setdefault((clip.key, mirrored), read_face(clip, frame, size, mirrored))

    monkeypatch.setattr(batches, "read_face", read)
    monkeypatch.setattr(batches, "_head_angles", lambda face: torch.zeros(3))
    people = [clips[0], *(give_identity(clip, "one") for clip in clips[1:])]
    samples = ClipSamples(people, SIDE, 0, is_jittered=False)
    for number in range(200):
        samples[number]
    assert 2 * 72 < seen[clips[0].key] < 2 * 128  # two frames each; 100 expected, deviation 7
    assert 2 * 72 < seen["mirrored"] < 2 * 128
    assert len(seen) == 5


def test_a_clips_sample_is_two_frames_of_it_and_the_heads_angles(clips):
    samples = ClipSamples(clips[:1], SIDE, 0, is_jittered=False)
    frames = [read_face(clips[0], frame, SIDE, m).pixels for m in (False, True) for frame in range(4)]
    angles = {}
    for number in range(40):
        sample = samples[number]
        places = [
            [i for i, pixels in enumerate(frames) if torch.equal(batches.to_channels(pixels), sample[name])]
            for name in ("source", "driving")
        ]
        (source,), (driving,) = places
        assert source != driving and source // 4 == driving // 4  # both mirrored or none
        angles[driving] = sample["pose"]
    for frame in angles.keys() & {i - 4 for i in angles}:
        yaw, pitch, roll = angles[frame].tolist()
        assert angles[frame + 4].tolist() == pytest.approx([-yaw, pitch, -roll], abs=1.0)
        assert max(abs(yaw), abs(pitch), abs(roll)) > 2  # degrees


def test_jitter_without_strength_changes_nothing(clips):
    pixels = read_face(clips[0], 0, SIDE).pixels
    assert np.array_equal(jitter_colors({"a": pixels}, Draws(0, 0, 0))["a"], pixels)


def test_brightness_contrast_and_saturation_have_their_closed_form(clips):
    pixels = read_face(clips[0], 0, SIDE).pixels
    exact = pixels.astype(float)
    grey = (exact @ [0.299, 0.587, 0.114])[..., None]
    wanted = {
        (1, 0, 0): 1.1 * exact,
        (0, -1, 0): 0.9 * exact + 0.1 * exact.mean(),
        (0, 0, 1): grey + 1.1 * (exact - grey),
    }
    for factors, expected in wanted.items():
        jittered = jitter_colors({"a": pixels}, Draws(*factors))["a"]
        np.testing.assert_allclose(jittered, expected.clip(0, 255), atol=0.51)


def test_hue_turns_colours_and_leaves_greys():
    grey, red = np.full((2, 2, 3), 90, np.uint8), np.full((2, 2, 3), (200, 40, 40), np.uint8)
    turned = jitter_colors({"grey": grey, "red": red}, Draws(0, 0, 0, hue=1))
    assert np.array_equal(turned["grey"], grey)
    assert turned["red"].sum() == pytest.approx(red.sum(), abs=6)  # about the grey axis: the sum of the colours stays
    a, b = turned["red"][0, 0].astype(float) - 280 / 3, red[0, 0].astype(float) - 280 / 3
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert np.degrees(np.arccos(cosine)) == pytest.approx(360 * batches.HUE, abs=0.6)


def test_all_pictures_of_a_sample_are_jittered_alike(clips):
    first, second = (read_face(clips[0], frame, SIDE).pixels for frame in (0, 1))
    together = jitter_colors({"a": first, "b": second}, np.random.default_rng(0))
    joined = jitter_colors({"ab": np.concatenate([first, second])}, np.random.default_rng(0))["ab"]
    assert np.array_equal(np.concatenate([together["a"], together["b"]]), joined)
    assert not np.array_equal(joined, np.concatenate([first, second]))
