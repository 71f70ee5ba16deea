import numpy as np
import pytest
import torch

from fadm.data.clips import scale_landmarks
from fadm.data.shards import TrackedClip
from fadm.errors import InputError, PackageError
from fadm.evaluation import features as module
from fadm.evaluation.clip_frames import MOST_KEPT, ClipFrames
from fadm.evaluation.features import FeatureExtractors, FrameFeatures, Stopwatch
from fadm.evaluation.measures import Reference, measure, measured_names
from fadm.face.tracker import TrackedFace
from tests.evaluation.synthetic_clips import read_shard, swaying_head


class CountingTracker:
    """Finds the same face everywhere and counts its calls."""

    def __init__(self):
        self.count = 0

    def track(self, pixels):
        self.count += 1
        return [TrackedFace(swaying_head()[0][1])]

    def close(self):
        pass


class CountingNetwork:
    def __init__(self, network):
        self.network, self.count = network, 0

    def features(self, image):
        self.count += 1
        return self.network.features(image)


def test_each_network_runs_once_however_many_metrics_there_are(shard):
    groups = ("landmarks", "attributes", "perceptual")
    extractors = FeatureExtractors(groups)
    extractors.tracker = CountingTracker()
    extractors.efficientnet = CountingNetwork(extractors.efficientnet)
    frames = ClipFrames(read_shard(shard), extractors)
    target, result = frames.features("clip-a", 1), FrameFeatures(swaying_head()[0][0], extractors)
    stored = torch.from_numpy(frames.landmarks("clip-a", [1]))
    identity = frames.identity("clip-a")
    scene = Reference(target, [target], stored, (identity, identity), has_truth=True, is_video=False)
    names = measured_names(groups, has_truth=True, is_video=False, missing=extractors.missing)
    assert len(names) >= 12
    for _ in range(2):
        values = measure([result], scene, names, extractors)
    assert values["akd"] == [0.0] and values["efficientnet_lite0_distance"][0] > 0
    assert extractors.tracker.count == extractors.efficientnet.count == 2  # the result and the target


def test_the_latest_frames_are_kept(shard):
    extractors = FeatureExtractors(())
    frames = ClipFrames(read_shard(shard), extractors)
    first = frames.features("clip-a", 0)
    assert frames.features("clip-a", 0) is first
    picture = first.picture
    first.forget()
    assert first.picture is not picture and first.pixels.shape == (256, 256, 3)
    assert MOST_KEPT >= 24  # the frames of a usual clip


def test_a_picture_that_is_no_square_is_refused():
    class Wide:
        def read(self):
            return np.zeros((4, 6, 3), np.uint8)

    clip = TrackedClip("wide", np.zeros((1, 478, 3), np.float32), {}, (Wide(),))
    with pytest.raises(InputError, match="wide: frame 0 is 6x4; clips are square"):
        ClipFrames([clip], FeatureExtractors(())).features("wide", 0)


def test_landmarks_lie_between_pixel_centres():
    np.testing.assert_allclose(scale_landmarks(np.array([[0.5, 0, 0.25]], np.float32), 8), [[3.5, -0.5, 2]])


def test_what_is_not_installed_is_named(monkeypatch):
    def refuse():
        raise PackageError("needs the package x")

    monkeypatch.setattr(module, "DlibEmbedder", refuse)
    extractors = FeatureExtractors(("identity", "landmarks"))
    assert extractors.missing["csim_dlib"] == "needs the package x"
    names = measured_names(("identity", "landmarks"), has_truth=True, is_video=False, missing=extractors.missing)
    assert "akd" in names and not any("dlib" in name for name in names)


def test_every_network_that_is_there_measures(monkeypatch, shard):
    class Lpips:
        def __init__(self, net):
            self.name = f"lpips_{net}"

        def __call__(self, a, b):
            return (a - b).abs().mean()[None]

    monkeypatch.setattr(module, "load_lpips", Lpips)
    monkeypatch.setattr(module, "load_inception", lambda: lambda picture: picture.mean(dim=(2, 3)))
    extractors = FeatureExtractors(("perceptual", "distribution"))
    assert not extractors.missing and [*extractors.pools] == ["EfficientNet-Lite0", "Inception"]
    frames = ClipFrames(read_shard(shard), extractors)
    source, target = frames.features("clip-a", 0), frames.features("clip-a", 1)
    assert target.pool("Inception").shape == (3,) and target.pool("Inception") is target.pool("Inception")
    identity = frames.identity("clip-a")
    stored = torch.from_numpy(frames.landmarks("clip-a", [1]))
    scene = Reference(source, [target], stored, (identity, identity), has_truth=True, is_video=False)
    values = measure([source], scene, ["lpips_alex", "lpips_vgg"], extractors)
    assert values["lpips_alex"] == values["lpips_vgg"] and values["lpips_alex"][0] > 0


def test_an_identity_network_that_is_given_measures_under_its_name(monkeypatch, shard, tmp_path):
    class Brightness:
        name, size, digest = "arcface", 2, "0123"

        def __init__(self, path):
            assert path == tmp_path

        def embed(self, pixels, landmarks):
            return np.array([1.0, pixels.mean() / 255])

    monkeypatch.setattr(module, "ArcFaceEmbedder", Brightness)
    without = FeatureExtractors(("identity",))
    assert "--arcface FILE" in without.missing["csim_arcface"] and without.digests == {}
    extractors = FeatureExtractors(("identity",), tmp_path)
    assert extractors.digests == {"arcface": "0123"} and [*extractors.embedders] == ["dlib", "arcface"]
    frames = ClipFrames(read_shard(shard), extractors)
    source, target, identity = frames.features("clip-a", 0), frames.features("clip-a", 3), frames.identity("clip-a")
    stored = torch.from_numpy(frames.landmarks("clip-a", [3]))
    scene = Reference(source, [target], stored, (identity, identity), has_truth=True, is_video=False)
    values = measure([source], scene, ["csim_dlib", "csim_arcface", "aed_l2_arcface"], extractors)
    assert 0.9 < values["csim_dlib"][0] < 1 and 0.9 < values["csim_arcface"][0] < 1
    difference = abs(source.pixels.mean() - target.pixels.mean()) / 255
    assert values["aed_l2_arcface"][0] == pytest.approx(difference, rel=1e-4)


def test_time_within_counts_for_itself_alone(monkeypatch):
    clock = iter([0.0, 1.0, 3.0, 10.0])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    watch = Stopwatch()
    with watch.time("outer"), watch.time("inner"):
        pass
    assert watch.take() == {"inner": 2.0, "outer": 8.0} and watch.take() == {}
