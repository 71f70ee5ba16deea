"""Expression following of runs: what is centred together, statistics of known motions, and whole runs."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from fadm.errors import OptionError
from fadm.evaluation.comparison import compare_runs
from fadm.evaluation.following import collect_motions, measure_following
from fadm.evaluation.journal import CaseResult
from fadm.evaluation.options import DrawOptions
from fadm.evaluation.outputs.following import following_tables
from fadm.evaluation.pairs import Case, PairList, draw_pairs, write_pairs
from fadm.evaluation.statistics import summarise
from fadm.media.image import write_image
from fadm.metrics.following import EXPRESSIONS, MOVEMENTS, SEEN_BLENDSHAPES, SIGNALS
from tests.evaluation.synthetic_clips import read_shard, run_on

NUM_FRAMES = 30
CLIPS = ("a", "b", "c")
VIDEOS = PairList(
    "cross-identity", 0, tuple(Case(f"x--{clip}", "x", 0, clip, tuple(range(NUM_FRAMES))) for clip in CLIPS)
)
MANIFEST = {
    "method": "ours",
    "protocol": "cross-identity",
    "stages": ["coarse", "rendered"],
    "groups": ["following"],
    "metrics": [],
    "pairs": VIDEOS.sha256,
    "data": "0" * 64,
    "notes": [],
    "not measured": {},
}


def draw_motion(seed):
    return torch.rand(NUM_FRAMES, len(SIGNALS), generator=torch.Generator().manual_seed(seed))


def make_results(pairs=VIDEOS, coarse=0.5, rendered=0.75):
    """Results that make a share of the driver's movements around another rest."""
    results = {}
    for seed, case in enumerate(pairs.cases):
        driver = draw_motion(seed)[: len(case.driving_frames)]
        signals = {"reference": driver, "coarse": 0.2 + coarse * driver, "rendered": rendered * driver - 0.1}
        results[case.name] = CaseResult(case.name, {"coarse": {}, "rendered": {}}, {}, signals=signals)
    return results


def test_a_share_of_the_motion_is_the_gain_and_more_of_it_the_change():
    summary = summarise(MANIFEST, VIDEOS, make_results())
    assert len(summary.following) == len(MOVEMENTS) + 51
    for name, by_stage in summary.following.items():
        assert by_stage["coarse"].gain.estimate == pytest.approx(0.5, abs=1e-5)
        assert by_stage["coarse"].correlation.estimate == pytest.approx(1)
        change = by_stage["rendered"].change
        assert (change is None) == (name in SEEN_BLENDSHAPES)
        if change is None:
            continue
        assert (change.gain.low, change.gain.high) == pytest.approx((0.25, 0.25), abs=1e-5)
        assert change.against == "coarse" and change.correlation.estimate == pytest.approx(0, abs=1e-6)
    blink = summary.following["blink"]["coarse"]
    assert blink.gain.num_groups == 3 and blink.gain.num_values == 90
    assert blink.extent == pytest.approx(12**-0.5, rel=0.1)  # the deviation of uniform numbers
    text = "\n".join(following_tables(summary))
    head = "driver's extent | coarse: gain | correlation | rendered: gain | correlation |"
    assert f"| movement | {head} gain against coarse | " in text and f"| coefficient | {head}\n" in text
    assert head in text and "| blink | 0.2" in text and "| 0.50 [0.50, 0.50] | 1.00 [1.00, 1.00] | 0.75" in text
    assert "| yaw | 0." in text and " degrees | " in text and "| eyeBlinkLeft | " in text and "tongueOut" not in text


def test_the_interval_is_over_driving_clips():
    results = make_results()
    results["x--c"].signals["coarse"] = 2 * results["x--c"].signals["reference"]
    found = summarise(MANIFEST, VIDEOS, results).following["blink"]["coarse"].gain
    assert found.low == pytest.approx(0.5, abs=1e-5) and found.high == pytest.approx(2, abs=1e-5)
    assert 0.9 < found.estimate < 1.1


def test_each_source_and_driver_has_its_own_mean():
    """One clip drives two people, each of whom rests elsewhere."""
    cases = tuple(Case(f"{source}--a", source, 0, "a", tuple(range(NUM_FRAMES))) for source in "xy")
    results = make_results(pairs := PairList("cross-identity", 0, cases))
    results["y--a"].signals["coarse"] = 5 + results["y--a"].signals["coarse"]
    motions = {"coarse": collect_motions(results, pairs, "coarse")}
    found = measure_following(motions, {})["blink"]["coarse"]
    assert found.gain.estimate == pytest.approx(0.5, abs=1e-4) and found.gain.num_groups == 1


def test_the_random_pairs_of_a_clip_belong_together():
    cases = tuple(Case(f"{i:05d}", clip, 0, clip, (i,)) for clip in "ab" for i in range(5))
    pairs, results = PairList("random-pairs", 0, cases), {}
    for i, case in enumerate(cases):
        driver = draw_motion(i)[:1]
        signals = {"reference": driver, "coarse": (case.source_clip == "a") + 0.5 * driver}
        results[case.name] = CaseResult(case.name, {}, {}, signals=signals)
    assert pairs.has_motion and not PairList("random-pairs", 0, cases[4:6]).has_motion
    found = measure_following({"coarse": collect_motions(results, pairs, "coarse")}, {})["smile"]["coarse"]
    assert found.gain.estimate == pytest.approx(0.5, abs=1e-5) and found.gain.num_values == 10


def test_what_is_missing_counts_for_neither():
    results = make_results()
    del results["x--a"]
    results["x--b"].signals["coarse"] = results["x--b"].signals["coarse"][:20]
    results["x--c"].signals["coarse"][:7] = torch.nan
    found = summarise(MANIFEST, VIDEOS, results).following["jaw_open"]
    assert found["coarse"].gain.num_values == 43 and found["rendered"].gain.num_values == 60
    assert found["rendered"].change.gain.num_values == 43
    assert found["coarse"].gain.estimate == pytest.approx(0.5, abs=1e-5)


def test_the_truth_follows_exactly_and_the_source_not_at_all(tmp_path, shard):
    options = {"protocol": "reconstruction", "metrics": "following"}
    run_on(shard, "unmoved", tmp_path / "still", **options)
    clips = {clip.key: clip for clip in read_shard(shard)}
    for key, clip in clips.items():
        (tmp_path / "exact" / key).mkdir(parents=True)
        for i, picture in enumerate(clip.pictures):
            write_image(tmp_path / "exact" / key / f"{i}.png", picture.read())
    run_on(shard, str(tmp_path / "exact"), tmp_path / "exact_run", tmp_path / "still" / "pairs.json", **options)
    found = {name: read_following(tmp_path / name) for name in ("still", "exact_run")}
    lines = (tmp_path / "exact_run" / "movements.csv").read_text().splitlines()
    rows = list(csv.DictReader(lines))
    assert [row["picture"] for row in rows[:5]] == ["driver"] * 4 + ["result"] and len(rows) == 16
    assert {**rows[1], "picture": ""} == {**rows[5], "picture": ""}  # the second frame of both
    assert found["still"]["roll"]["source"]["gain"]["estimate"] == 0
    assert {by["source"]["gain"]["estimate"] for by in found["still"].values()} == {0}
    assert found["still"]["roll"]["source"]["correlation"] is None
    for by_stage in found["exact_run"].values():
        both = [by_stage["result"][key]["estimate"] for key in ("gain", "correlation")]
        assert both == pytest.approx([1, 1])
    compared = compare_runs([tmp_path / "still", tmp_path / "exact_run"])
    assert compared.summary.following["roll"]["exact"].change.gain.estimate == pytest.approx(1)
    assert "| exact: gain | correlation | gain against unmoved |" in compared.markdown()


def read_following(folder):
    return json.loads((folder / "summary.json").read_text())["following"]


def test_another_person_turns_as_the_driver(tmp_path, shard):
    run_on(shard, "geometric", tmp_path / "run", protocol="cross-identity", metrics="following")
    roll = read_following(tmp_path / "run")["roll"]["coarse"]
    assert roll["gain"]["estimate"] == pytest.approx(1, abs=0.15) and roll["correlation"]["estimate"] > 0.98
    assert roll["extent"] == pytest.approx(np.std([0, 2, 4, 6]), rel=0.1)
    text = (tmp_path / "run" / "table.md").read_text()
    assert "| movement | driver's extent | coarse: gain | correlation |" in text and "| roll | 2.2" in text


def test_single_pictures_show_no_motion(tmp_path, shard):
    stills = [replace(clip, pictures=clip.pictures[:1], landmarks=clip.landmarks[:1]) for clip in read_shard(shard)]
    write_pairs(draw_pairs(stills, DrawOptions(protocol="cross-identity")), tmp_path / "pairs.json")
    options = {"protocol": "cross-identity", "pair_list": tmp_path / "pairs.json"}
    with pytest.raises(OptionError, match="--metrics following: no metric of it applies to cross-identity"):
        run_on(shard, "unmoved", tmp_path / "run", metrics="following", **options)
    assert not (tmp_path / "run").exists()
    run_on(shard, "unmoved", tmp_path / "run", metrics="following,landmarks", **options)
    text = (tmp_path / "run" / "table.md").read_text()
    assert "following is not measured: no clip drives a source with two frames" in text and "| movement |" not in text


def test_groups_of_movements_are_those_of_the_documentation():
    assert [movement.title for movement in EXPRESSIONS] == [
        "blink",
        "gaze",
        "brows",
        "jaw open",
        "smile",
        "pucker, funnel",
        "lips apart",
        "jaw, mouth aside",
    ]
