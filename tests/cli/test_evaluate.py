import json

import pytest
from typer.testing import CliRunner

from fadm.cli.evaluate import app
from fadm.errors import FadmError
from tests.evaluation.synthetic_clips import write_shard
from tests.tiny_networks import BY_LANDMARKS, tiny_networks


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    return write_shard(tmp_path_factory.mktemp("shard") / "made-up.tar")


def run_eval(*arguments):
    """Run `fadm eval` -> its output; a user's mistake is raised."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_pairs_run_and_compare(tmp_path, shard):
    pairs = tmp_path / "pairs.json"
    said = run_eval("pairs", shard, "-o", pairs, "--count", 3, "--pictures", tmp_path / "pictures")
    assert "3 cases, 3 frames, sha256 " in " ".join(said.split())
    common = ("--data", shard.parent, "--pairs", pairs, "--metrics", "pixel")
    for model in ("unmoved", tmp_path / "pictures" / "driving"):
        said = run_eval("run", model, *common, "-o", tmp_path / f"run-{model if model == 'unmoved' else 'truth'}")
        assert "| L1 ↓ |" in said and "frames.csv" in said
    with pytest.raises(FadmError, match=r"--protocol reconstruction: the pair list '.*' is of random-pairs"):
        run_eval("run", "unmoved", *common, "-o", tmp_path / "other", "--protocol", "reconstruction")
    said = run_eval("compare", tmp_path / "run-unmoved", tmp_path / "run-truth", "--published")
    assert "| metric | unmoved | driving | against unmoved |" in said and "-100.0 % [-100.0, -100.0]" in said
    assert "not comparable" in said
    said = run_eval("compare", tmp_path / "run-unmoved", "--json", "-o", tmp_path / "out")
    assert json.loads(said)["frames"] == 3 and (tmp_path / "out" / "comparison.md").is_file()


def test_two_plain_folders_by_their_pair_list(tmp_path, shard):
    drawn = ("-o", tmp_path / "drawn.json", "--protocol", "reconstruction", "--pictures", tmp_path / "p")
    run_eval("pairs", shard, *drawn)
    truth, pairs = tmp_path / "p" / "driving", tmp_path / "pairs.json"
    assert "2 cases, 8 frames" in run_eval("pairs", truth, "-o", pairs, "--protocol", "two-folders")
    options = ("--data", truth, "--pairs", pairs, "--metrics", "pixel", "-o", tmp_path / "run")
    said = run_eval("run", tmp_path / "p" / "driving", *options)
    assert "# driving: two-folders" in said and "| L1 ↓ | 0.0000 [0.0000, 0.0000] |" in said


@pytest.mark.slow
def test_an_ablation_tabulates_quality_against_time(tmp_path, shard):
    with tiny_networks(tmp_path / "home"):
        options = ("--steps", "2,4", "--without", "motion", "--metrics", "pixel", "--count", 2)
        said = run_eval("ablation", BY_LANDMARKS, "--data", shard, "-o", tmp_path / "run", *options, "--json")
    means = json.loads(said.splitlines()[-1])["means"]
    assert [*means["l1"]] == ["coarse", "steps-2", "steps-4", "steps-4-without-motion"]
    assert (tmp_path / "run" / "curve.svg").read_text().startswith("<svg")
    assert "| steps-4 |" in (tmp_path / "run" / "curve.md").read_text()
    assert "| against steps-4 |" in (tmp_path / "run" / "table.md").read_text()


MISTAKES = [
    ("run unmoved --data {empty} -o {out}", "holds no shard"),
    ("run unmoved --data {shard} -o {out} --protocol vox", "--protocol vox: give random-pairs"),
    ("run unmoved --data {shard} -o {out} --pairs {empty}/none.json", "the pair list '.*' cannot be read"),
    ("run {shard} --data {shard} -o {out}", "is one file; give the folder"),
    ("run unmoved --data {shard} -o {out} --steps 3", "--steps 3: unmoved is no renderer; leave the option out"),
    ("run {shard_folder} --data {shard} -o {out} --coarse geometrik", "--coarse geometrik: .* is no renderer"),
    ("run unmoved --data {shard} -o {out} --metrics identity --arcface none.onnx", "there is no file 'none.onnx'"),
    ("run unmoved --data {shard_folder} -o {out} --protocol two-folders", "holds no video, no picture"),
    ("run nobody --data {shard} -o {out}", "no weights are named 'nobody'"),
    ("run unmoved --data {shard} -o {shard_folder}", "holds other files"),
    ("ablation geometric --data {shard} -o {out}", "no weights are named 'geometric'"),
    ("compare {empty}", "holds no run"),
    ("run fadm_small --data {shard} -o {out} --commercial", "--commercial refuses fadm_small, whose terms are: res"),
    ("ablation fadm_small --data {shard} -o {out} --commercial", "--commercial refuses fadm_small, whose terms are:"),
    ("run geometric --data {shard} -o {out} --arcface a.onnx --commercial", "--commercial refuses --arcface a.onnx,"),
]


@pytest.mark.parametrize(("line", "said"), MISTAKES)
def test_mistakes_are_said_before_anything_is_made(tmp_path, shard, line, said):
    names = {"empty": tmp_path / "empty", "out": tmp_path / "out", "shard": shard, "shard_folder": shard.parent}
    names["empty"].mkdir()
    with pytest.raises(FadmError, match=said):
        run_eval(*line.format(**names).split())
    assert not names["out"].exists()
