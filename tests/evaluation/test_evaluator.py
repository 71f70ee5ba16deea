"""Whole evaluations on made-up clips: what the numbers must be, whoever made the frames and however often."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fadm.errors import OptionError
from fadm.evaluation import evaluator as running
from fadm.evaluation.options import DrawOptions
from fadm.evaluation.pairs import draw_pairs, read_pairs, write_pairs
from fadm.media.image import read_image, write_image
from tests.evaluation.synthetic_clips import read_shard, read_tables, run_on

RANDOM, VIDEO = "random-pairs", "reconstruction"


@pytest.fixture(scope="module")
def truth(shard, tmp_path_factory):
    """A pair list and a folder with exactly the driving frames."""
    folder = tmp_path_factory.mktemp("truth")
    pairs = draw_pairs(read_shard(shard), DrawOptions(count=4))
    write_pairs(pairs, folder / "pairs.json")
    clips = {clip.key: clip for clip in read_shard(shard)}
    (folder / "exact").mkdir()
    for case in pairs.cases:
        write_image(
            folder / "exact" / f"{case.name}.png", clips[case.driving_clip].pictures[case.driving_frames[0]].read()
        )
    return folder


def test_the_truth_itself_is_perfect(tmp_path, shard, truth):
    means = run_on(shard, str(truth / "exact"), tmp_path / "run", truth / "pairs.json", metrics="all")
    found = {name: by_stage["result"] for name, by_stage in means.items()}
    assert "psnr" not in found and "psnr_mouth_eyes" not in found  # infinite: said, and in no mean
    text = (tmp_path / "run" / "table.md").read_text()
    assert "infinite and left out of these means of result: PSNR, dB: 4 frames, PSNR, face, dB: 4 frames" in text
    for name in ("ssim", "ssim_legacy", "csim_dlib"):
        assert found[name] == pytest.approx(1, abs=1e-6)
    zero = [name for name in found if name.startswith(("l1", "akd", "nme", "aed", "expression", "pose", "missing"))]
    assert len(zero) == 16 and all(found[name] == 0 for name in zero)
    assert found["efficientnet_lite0_distance"] == pytest.approx(0, abs=1e-6)
    assert found["head_angle"] == pytest.approx(0, abs=1e-3)
    sets = json.loads((tmp_path / "run" / "summary.json").read_text())["sets"]
    assert sets["frechet_efficientnet_lite0"]["result"] == pytest.approx(0, abs=1e-3)


def test_a_shift_by_two_pixels_is_an_akd_of_two_in_that_axis(tmp_path, shard, truth):
    (tmp_path / "shifted").mkdir()
    for path in (truth / "exact").iterdir():
        moved = np.roll(read_image(path), 2, axis=1)
        write_image(tmp_path / "shifted" / path.name, moved)
    means = run_on(shard, str(tmp_path / "shifted"), tmp_path / "run", truth / "pairs.json", metrics="landmarks")
    assert means["akd_x"]["result"] == pytest.approx(2, abs=0.1)
    assert means["akd_y"]["result"] < 0.1 and means["missing_face"]["result"] == 0
    assert means["akd"]["result"] == pytest.approx(1, abs=0.1)


def test_twice_and_after_a_kill_the_tables_are_the_same(tmp_path, shard, monkeypatch):
    run_on(shard, "geometric", tmp_path / "whole", count=6, metrics="pixel,landmarks,attributes")
    expected = read_tables(tmp_path / "whole")

    measured = running.measure_case
    calls = []

    def measure_three(*arguments):
        calls.append(arguments)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return measured(*arguments)

    monkeypatch.setattr(running, "measure_case", measure_three)
    with pytest.raises(KeyboardInterrupt):
        run_on(shard, "geometric", tmp_path / "killed", count=6, metrics="pixel,landmarks,attributes")
    monkeypatch.undo()
    journal = tmp_path / "killed" / "results.jsonl"
    assert len(journal.read_bytes().splitlines()) == 3
    journal.write_bytes(journal.read_bytes()[:-40])  # a line cut short
    run_on(shard, "geometric", tmp_path / "killed", count=6, metrics="pixel,landmarks,attributes")
    assert read_tables(tmp_path / "killed") == expected
    assert len(journal.read_bytes().splitlines()) == 6
    run_on(shard, "geometric", tmp_path / "killed", count=6, metrics="pixel,landmarks,attributes")
    assert read_tables(tmp_path / "killed") == expected


def test_other_options_in_the_same_folder_are_refused(tmp_path, shard):
    run_on(shard, "unmoved", tmp_path / "run", count=2)
    with pytest.raises(OptionError, match="holds a run with another method"):
        run_on(shard, "geometric", tmp_path / "run", count=2)
    with pytest.raises(OptionError, match=r"another pairs \("):
        run_on(shard, "unmoved", tmp_path / "run", count=2, seed=1)


def test_a_run_that_would_measure_nothing_is_refused(tmp_path, shard):
    with pytest.raises(OptionError, match="--metrics temporal: no metric of it applies to random-pairs"):
        run_on(shard, "unmoved", tmp_path / "run", metrics="temporal")
    with pytest.raises(OptionError, match="--metrics pixel: no metric of it applies to cross-identity"):
        run_on(shard, "unmoved", tmp_path / "run", metrics="pixel", protocol="cross-identity")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("protocol", [RANDOM, VIDEO])
def test_in_memory_and_through_files_the_numbers_are_the_same(tmp_path, shard, protocol):
    options = {"protocol": protocol, "metrics": "pixel,landmarks,temporal", "count": 2}
    made = run_on(shard, "geometric", tmp_path / "run", save_frames=True, **options)
    folder = tmp_path / "run" / "frames" / "coarse"
    read = run_on(shard, str(folder), tmp_path / "again", tmp_path / "run" / "pairs.json", **options)
    assert made.keys() == read.keys() and ("flicker_still" in made) == (protocol == VIDEO)
    assert [by["coarse"] for by in made.values()] == [by["result"] for by in read.values()]


def test_single_pictures_drive_absolutely_alone(tmp_path, shard):
    clips = read_shard(shard)
    stills = [replace(clip, pictures=clip.pictures[:1], landmarks=clip.landmarks[:1]) for clip in clips]
    write_pairs(draw_pairs(stills, DrawOptions(protocol="cross-identity")), tmp_path / "pairs.json")
    options = {"protocol": "cross-identity", "metrics": "landmarks", "pair_list": tmp_path / "pairs.json"}
    with pytest.raises(OptionError, match="--motion best: single pictures show no motion of their own; give absolute"):
        run_on(shard, "geometric", tmp_path / "run", **options)
    means = run_on(shard, "geometric", tmp_path / "run", motion="absolute", **options)
    assert means["missing_face"]["coarse"] == 0


def test_the_warp_beats_the_unmoved_source(tmp_path, shard):
    still = run_on(shard, "unmoved", tmp_path / "still", metrics="pixel,landmarks")
    moved = run_on(shard, "geometric", tmp_path / "moved", metrics="pixel,landmarks")
    for name in ("l1_face", "akd"):
        assert moved[name]["coarse"] < 0.7 * still[name]["source"]


def test_without_a_kept_frame_no_picture_is_left(tmp_path, shard):
    run_on(shard, "unmoved", tmp_path / "run", count=2)
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    made = [
        "cases.csv",
        "frames.csv",
        "pairs.json",
        "results.jsonl",
        "run.json",
        "summary.json",
        "table.md",
        "table.tex",
        "timing.json",
    ]
    assert names == made
    assert str(tmp_path) not in "".join(path.read_text() for path in (tmp_path / "run").iterdir())


def test_cross_identity_is_measured_against_the_source(tmp_path, shard):
    options = {"protocol": "cross-identity", "count": 1, "metrics": "pixel,landmarks,identity,attributes,distribution"}
    means = run_on(shard, "unmoved", tmp_path / "run", **options)
    assert means["csim_dlib"]["source"] == pytest.approx(1, abs=1e-6) and means["missing_face"]["source"] == 0
    assert "l1" not in means and "akd" not in means and means["head_angle"]["source"] > 1
    options |= {"metrics": "attributes", "motion": "absolute"}
    moved = run_on(shard, "geometric", tmp_path / "moved", **options)
    assert moved["head_angle"]["coarse"] < means["head_angle"]["source"]
    assert read_pairs(tmp_path / "run" / "pairs.json").num_frames == 4
    text = (tmp_path / "run" / "table.md").read_text()
    assert "against 4 real ones (the source's clips)" in text and "No frame shows the truth" in text
