import json
import re
import subprocess
import sys

import pytest
import torch
from typer.testing import CliRunner

from fadm.cli.weights import app
from fadm.errors import OptionError, WeightsError
from fadm.weights.registry import find_weights
from fadm.weights.store import halve_weights, load_weights, save_weights, verify_weights
from tests.weights.released_files import flame_table, write_flame_pickle

runner = CliRunner()


@pytest.fixture(autouse=True)
def imported(tmp_path, monkeypatch):
    monkeypatch.setenv("FADM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    write_flame_pickle(tmp_path / "generic_model.pkl", flame_table())
    return runner.invoke(app, ["import", str(tmp_path / "generic_model.pkl")], catch_exceptions=False)


def test_import_says_what_it_made(imported):
    assert imported.exit_code == 0
    assert "generic_model.pkl: flame, 7 tensors, 34,540 values" in imported.stdout
    assert "left out: J" in imported.stdout


def test_list_shows_kind_and_licence():
    listed = runner.invoke(app, ["list"], catch_exceptions=False).stdout
    assert "flame" in listed and "non-commercial" in listed
    by_name = {line.split()[1]: line for line in listed.splitlines() if line.startswith("│")}
    assert re.search("Apache-2.0 *│ yes ", by_name["landmark_model"])
    assert all(" no " in by_name[name] for name in ("flame", "fadm_small"))


def test_show_prints_the_configuration():
    shown = json.loads(runner.invoke(app, ["show", "flame"], catch_exceptions=False).stdout)
    assert shown["config"]["num_expression"] == 50 and shown["source"] == "generic_model.pkl"


def test_halve_writes_the_same_in_half_the_room(tmp_path):
    small = tmp_path / "small.safetensors"
    said = runner.invoke(app, ["halve", "flame", "-o", str(small)], catch_exceptions=False).stdout
    assert "flame.safetensors" in said and str(small) in said
    tensors, metadata = load_weights(find_weights("flame"))
    halved, kept = load_weights(small)
    assert all(torch.allclose(tensors[key], halved[key], rtol=1e-3, atol=1e-6) for key in tensors)
    assert small.stat().st_size < 0.6 * find_weights("flame").stat().st_size
    assert kept["config"] == metadata["config"] and kept["licence"] == metadata["licence"]
    assert verify_weights(small)["sha256"] != metadata["sha256"]


def test_halve_refuses_values_that_do_not_fit(tmp_path):
    save_weights(tmp_path / "a.safetensors", {"x": torch.tensor([1e6])}, config={}, metadata={})
    with pytest.raises(WeightsError, match="x has values that float16 cannot hold"):
        halve_weights(tmp_path / "a.safetensors", tmp_path / "b.safetensors")


def test_verify_passes_intact_files_and_fails_damaged_ones(tmp_path):
    verified = runner.invoke(app, ["verify", "flame"], catch_exceptions=False)
    assert "intact, sha256 " in verified.stdout
    path = tmp_path / "home" / "weights" / "flame.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="1 of 1 weights files are damaged"):
        runner.invoke(app, ["verify", "flame"], catch_exceptions=False)


def test_brackets_in_names_are_no_markup(tmp_path):
    source = (tmp_path / "generic_model.pkl").rename(tmp_path / "model[red].pkl")
    assert f"{source}: flame, " in runner.invoke(app, ["import", str(source)], catch_exceptions=False).stdout
    kept = tmp_path / "home" / "weights" / "flame.safetensors"
    kept.rename(kept.with_name("flame[bold].safetensors"))
    assert " flame[bold] " in runner.invoke(app, ["list"], catch_exceptions=False).stdout
    assert "flame[bold].safetensors: intact" in runner.invoke(app, ["verify"], catch_exceptions=False).stdout


def test_one_name_for_several_files(tmp_path):
    with pytest.raises(OptionError, match="--name x is for one file, 2 were given"):
        runner.invoke(app, ["import", "a", "b", "--name", "x"], catch_exceptions=False)


def test_command_loads_torch_only_when_it_runs():
    code = "import sys, fadm.cli.weights; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
