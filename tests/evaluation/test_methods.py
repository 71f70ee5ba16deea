from dataclasses import replace

import numpy as np
import pytest
import torch

from fadm.animation.driver import anchor_motion
from fadm.data.clips import Face, StoredFaces, open_pictures
from fadm.errors import OptionError, WeightsError
from fadm.evaluation.build import build_ablation, build_evaluation, choose_pairs
from fadm.evaluation.evaluator import predict_cases
from fadm.evaluation.methods import switch_off
from fadm.evaluation.options import CONDITIONS, AblationOptions, RunOptions
from fadm.evaluation.pairs import Case
from fadm.media.image import write_image
from fadm.rendering.conditions import inference_conditions
from fadm.rendering.options import RenderOptions
from fadm.rendering.renderer import DiffusionRenderer
from tests.evaluation.synthetic_clips import SIDE, read_shard, run_on, swaying_head
from tests.tiny_networks import (
    BY_DECA,
    BY_LANDMARKS,
    RENDERER,
    TOLD_LANDMARKS,
    make_renderer,
    save_network,
    tiny_networks,
)

SEEING = replace(RENDERER, use_source=True, use_person=True, unet=replace(RENDERER.unet, in_channels=11))
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with tiny_networks(home):
        torch.manual_seed(0)
        network = DiffusionRenderer(SEEING).eval()
        save_network(home, "seeing", network, TOLD_LANDMARKS)
        network = DiffusionRenderer(replace(RENDERER, target="correction")).eval()  # its correction is zero
        save_network(home, "untrained", network, TOLD_LANDMARKS)
        yield home


def make(shard, model, build=build_evaluation, **given):
    """The pictures of every case by stage."""
    clips = read_shard(shard)
    options = (RunOptions if build is build_evaluation else AblationOptions)(**{"count": 2, "metrics": "pixel"} | given)
    evaluation = build(model, clips, choose_pairs(clips, options, None), options, CPU)
    return {case.name: prediction.pictures for case, prediction in predict_cases(evaluation, evaluation.pairs.cases)}


@pytest.mark.parametrize("name", [BY_LANDMARKS, BY_DECA, "seeing"])
def test_a_renderer_renders_the_coarse_frame(weights, shard, name):
    made = make(shard, name, steps=2)
    for pictures in made.values():
        assert [*pictures] == ["coarse", "rendered"]
        (coarse,), (rendered,) = pictures.values()
        assert coarse.shape == rendered.shape == (SIDE, SIDE, 3) and rendered.dtype == np.uint8
        assert (coarse != rendered).any()


def test_the_noise_of_a_case_does_not_depend_on_the_others(weights, shard):
    several, fewer = make(shard, BY_LANDMARKS, preset="paper", steps=1, count=3), {}
    clips = read_shard(shard)
    options = RunOptions(count=3, metrics="pixel", preset="paper", steps=1)
    evaluation = build_evaluation(BY_LANDMARKS, clips, choose_pairs(clips, options, None), options, CPU)
    fewer = {
        case.name: prediction.pictures for case, prediction in predict_cases(evaluation, evaluation.pairs.cases[2:])
    }
    np.testing.assert_array_equal(several["00002"]["rendered"][0], fewer["00002"]["rendered"][0])
    other = make(shard, BY_LANDMARKS, preset="paper", steps=1, count=3, seed=1)
    assert any((several[name]["rendered"][0] != other[name]["rendered"][0]).any() for name in several)


@pytest.mark.parametrize("name", ["fomm", "face_vid2vid"])
@pytest.mark.parametrize("protocol", ["random-pairs", "cross-identity"])
def test_a_network_is_a_method_of_its_own(weights, shard, name, protocol):
    made = make(shard, name, protocol=protocol, count=1)
    assert all([*pictures] == ["coarse"] and len(pictures["coarse"]) for pictures in made.values())


@pytest.mark.parametrize(("motion", "anchors"), [("best", {0: 2}), ("first", {0: 0}), ("absolute", {})])
def test_the_start_is_the_nearest_pose_the_first_frame_or_none(shard, motion, anchors):
    clips, options = read_shard(shard), RunOptions(protocol="cross-identity", motion=motion, metrics="pixel")
    method = build_evaluation("geometric", clips, choose_pairs(clips, options, None), options, CPU).method
    animator, faces = method._animator, [Face(*frame) for frame in swaying_head()]
    known = StoredFaces()
    for face in faces:
        known.add(face.pixels, face.landmarks)
    animator.make_tracker = known.make_tracker
    driver = open_pictures("driver", [lambda face=face: face.pixels for face in faces], (SIDE, SIDE))
    driven, _ = animator.read_motion(driver, method._options)
    source = animator.prepare(faces[2].pixels, replace(method._options, size=SIDE))
    assert anchor_motion(animator.model, source, driven, method._options).anchors == anchors


def test_a_source_that_drives_itself_stays_as_it_is(shard):
    clips, options = read_shard(shard), RunOptions(protocol="reconstruction", metrics="pixel")
    evaluation = build_evaluation("geometric", clips, choose_pairs(clips, options, None), options, CPU)
    case = Case("0", "clip-a", 0, "clip-a", (1, 2, 0))
    pictures = evaluation.method.predict(case, evaluation.frames).pictures["coarse"]
    source = evaluation.frames.features("clip-a", 0).pixels
    differences = [np.abs(picture.astype(float) - source).mean() for picture in pictures]
    assert differences[2] < 1 < differences[0] < differences[1]


def test_motion_of_another_person(weights, shard):
    first = make(shard, "geometric", protocol="cross-identity", count=1, motion="first")
    absolute = make(shard, "geometric", protocol="cross-identity", count=1, motion="absolute")
    (first,), (absolute,) = ([p["coarse"] for p in made.values()] for made in (first, absolute))
    source = read_shard(shard)
    sources = [clip.pictures[0].read() for clip in source]
    at_rest = min(np.abs(first[0].astype(float) - pixels).mean() for pixels in sources)
    turned = min(np.abs(absolute[0].astype(float) - pixels).mean() for pixels in sources)
    assert at_rest < 2 < turned  # the first frame's motion against itself leaves the source as it is


def test_conditions_are_switched_off(weights, shard):
    stages = make(shard, "seeing", build_ablation, steps="2,4", without=",".join(CONDITIONS), count=1)
    (pictures,) = stages.values()
    whole = "steps-4"
    without = [f"{whole}-without-{condition}" for condition in CONDITIONS]
    assert [*pictures] == ["coarse", "steps-2", whole, *without]
    for stage in without:
        assert (pictures[stage][0] != pictures[whole][0]).any(), stage


def test_a_condition_switched_off_has_no_influence():
    renderer = make_renderer()
    torch.manual_seed(0)
    coarse, attributes = torch.rand(1, 3, 32, 32), torch.randn(2, 1, 56)
    options = RenderOptions(num_steps=1)
    same, other = (inference_conditions(coarse, a[None], torch.zeros(1, 56)) for a in attributes[:, 0])
    off = switch_off(renderer, "motion")
    shown, switched_off = ([r.render(c, options).pictures for c in (same, other)] for r in (renderer, off))
    assert not torch.equal(*shown)
    assert torch.equal(*switched_off)
    assert renderer.config.conditioner.use_motion


def test_what_makes_no_pictures_is_refused(weights, shard, tmp_path):
    with pytest.raises(OptionError, match="weights of kind deca make no pictures"):
        make(shard, "deca")
    with pytest.raises(OptionError, match=f"--coarse {BY_LANDMARKS}: these weights are of kind fadm, fomm or"):
        make(shard, BY_LANDMARKS, coarse=BY_LANDMARKS)
    with pytest.raises(OptionError, match="an ablation is of a renderer; these are weights of kind fomm"):
        make(shard, "fomm", build_ablation)
    for condition in ("source", "person"):
        with pytest.raises(OptionError, match=f"{BY_LANDMARKS} is not conditioned on the {condition}"):
            make(shard, BY_LANDMARKS, build_ablation, without=condition)
    with pytest.raises(OptionError, match="200 sampling steps are asked for"):
        make(shard, BY_LANDMARKS, steps=200)
    with pytest.raises(WeightsError, match="no weights are named 'geometrik'"):
        make(shard, "geometrik")


def test_a_run_of_a_renderer_has_the_change(weights, shard, tmp_path):
    means = run_on(shard, BY_LANDMARKS, tmp_path / "run", steps=2, count=2)
    assert means["l1"].keys() == {"coarse", "rendered"}
    text = (tmp_path / "run" / "table.md").read_text()
    assert "| metric | coarse | rendered | against coarse |" in text and " % [+" in text


def test_a_renderer_that_corrects_nothing_changes_nothing(weights, shard, tmp_path):
    options = {"metrics": "pixel,landmarks", "sampler": "ddim", "eta": 0.0, "strength": 1.0, "steps": 1, "count": 2}
    means = run_on(shard, "untrained", tmp_path / "run", **options)
    assert all(by_stage["coarse"] == by_stage["rendered"] for by_stage in means.values())
    text = (tmp_path / "run" / "table.md").read_text()
    assert text.count("| 0.0 % [0.0, 0.0] |") == len(means) - 2 and "%" in text  # no face is ever missing


@pytest.mark.slow
def test_coarse_videos_of_any_tool_are_enhanced(weights, shard, tmp_path):
    options = {"protocol": "reconstruction", "metrics": "pixel", "steps": 1}
    own = make(shard, BY_LANDMARKS, protocol="reconstruction", steps=1, count=None)
    for name, pictures in own.items():
        (tmp_path / "made" / name).mkdir(parents=True)
        for index, pixels in enumerate(pictures["coarse"][: 4 if name == "clip-a" else 2]):
            write_image(tmp_path / "made" / name / f"{index}.png", pixels)
    run_on(shard, BY_LANDMARKS, tmp_path / "run", coarse=str(tmp_path / "made"), count=None, **options)
    text = (tmp_path / "run" / "table.md").read_text()
    assert f"# {BY_LANDMARKS} over made: reconstruction" in text and "Frames made: coarse 6, rendered 6" in text
    assert "another length: 1 result (clip-b has only 2 frames, the driver 4" in text
    given = make(shard, BY_LANDMARKS, coarse=str(tmp_path / "made"), count=None, protocol="reconstruction", steps=1)
    for name, pictures in given.items():
        for stage, frames in pictures.items():
            for a, b in zip(frames, own[name][stage], strict=False):
                difference = np.abs(a.astype(int) - b).mean()
                assert difference == 0 if stage == "coarse" else difference < 3  # attributes as tracked in the frames


def test_usual_options_may_be_handed_in(weights, shard):
    clips = read_shard(shard)
    options, usual = RunOptions(count=2, metrics="pixel", seed=3, eta=0.5), RenderOptions(sampler="ddim", num_steps=7)
    options = replace(options, sampler="ddim")
    evaluation = build_evaluation(BY_LANDMARKS, clips, choose_pairs(clips, options, None), options, CPU, usual)
    described = evaluation.method.description["variants"]["rendered"]
    assert described == vars(replace(usual, seed=3, eta=0.5))
