import json
import shutil

import pytest

from fadm.errors import InputError, OptionError
from fadm.evaluation.comparison import compare_runs
from tests.evaluation.synthetic_clips import run_on


@pytest.fixture(scope="module")
def runs(shard, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    run_on(shard, "unmoved", folder / "still")
    run_on(shard, "geometric", folder / "moved")
    run_on(shard, "unmoved", folder / "others", seed=1)
    return folder


def test_runs_are_compared_on_the_same_frames(runs, tmp_path):
    compared = compare_runs([runs / "still", runs / "moved"], with_published=True)
    change = compared.summary.changes["l1_face"]["geometric"]
    assert change.against == "unmoved" and change.percent.estimate < -20 and change.difference.num_values == 4
    text = compared.markdown()
    assert "| unmoved |" in text and "| metric | unmoved | geometric | against unmoved |" in text
    assert "| FADM | VoxCeleb, same identity, 256 px | 0.0402 |" in text and "not comparable" in text
    assert "published" not in compare_runs([runs / "still"]).markdown()
    compared.write(tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "comparison.json",
        "comparison.md",
        "comparison.tex",
    ]
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["frames"] == 4


@pytest.mark.slow
def test_sets_of_pictures_and_infinite_values_stand_beside_each_other(tmp_path, shard):
    options = {"protocol": "reconstruction", "metrics": "pixel,distribution"}
    for model in ("unmoved", "geometric"):
        run_on(shard, model, tmp_path / model, **options)
    compared = compare_runs([tmp_path / "unmoved", tmp_path / "geometric"])
    distances = compared.summary.sets["frechet_efficientnet_lite0"]
    assert distances["geometric"] < distances["unmoved"]
    text = compared.markdown()
    assert "| set | unmoved | geometric |" in text and "8 real ones (the driving frames)" in text
    assert "infinite and left out of these means of unmoved: PSNR, dB: 2 frames" in text


def test_another_network_of_identity_does_not_compare(runs, tmp_path):
    folders = [runs / "still"]
    for name in ("a", "b"):
        shutil.copytree(runs / "moved", tmp_path / name)
        manifest = json.loads((tmp_path / name / "run.json").read_text())
        (tmp_path / name / "run.json").write_text(json.dumps(manifest | {"arcface": name}))
        folders.append(tmp_path / name)
    assert len(compare_runs(folders[:2]).summary.stages) == 2
    with pytest.raises(OptionError, match=r"b' was measured on other arcface than .*a'; .* one file with --arcface"):
        compare_runs(folders)


def test_a_run_against_itself_changes_nothing(runs, tmp_path, shard):
    run_on(shard, "unmoved", tmp_path / "again")
    compared = compare_runs([runs / "still", tmp_path / "again"])
    assert compared.summary.stages == ["unmoved (still)", "unmoved (again)"]
    for change in compared.summary.changes.values():
        difference = change["unmoved (again)"].difference
        assert (difference.low, difference.estimate, difference.high) == (0, 0, 0)


def test_other_pairs_do_not_compare(runs, tmp_path):
    with pytest.raises(OptionError, match="was measured on other pairs"):
        compare_runs([runs / "still", runs / "others"])
    with pytest.raises(OptionError, match="the same method and the same name"):
        compare_runs([runs / "still", runs / "still"])
    with pytest.raises(InputError, match="holds no run"):
        compare_runs([tmp_path])


def test_an_unfinished_run_says_so(runs, tmp_path, shard):
    run_on(shard, "unmoved", tmp_path / "part")
    lines = (tmp_path / "part" / "results.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "part" / "results.jsonl").write_text("".join(lines[:3]))
    text = compare_runs([runs / "moved", tmp_path / "part"]).markdown()
    assert "- part: unfinished: 1 of 4 cases are not measured yet" in text
    assert "Frames made: geometric 4, unmoved 3" in text
