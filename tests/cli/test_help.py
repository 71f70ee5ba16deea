import re
import subprocess
import sys
from pathlib import Path

import pytest

import fadm
from tests.cli.command import error_line, run_fadm

FADM = Path(sys.executable).parent / "fadm"


def test_help_of_the_installed_command_stays_light():
    shown = subprocess.run([FADM, "--help"], capture_output=True, text=True, check=True)
    assert "animate" in shown.stdout and shown.stderr == ""
    code = "import sys, fadm.cli\ntry: fadm.cli.main(['animate', '--help'])\nexcept SystemExit: pass\n"
    code += "sys.exit(', '.join({'torch', 'ai_edge_litert', 'av', 'numpy', 'PIL'} & sys.modules.keys()) or 0)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (loaded.returncode, loaded.stderr) == (0, "")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["animate"], ["SOURCE", "--gap", "--driving-face", "--side-by-side", "--no-audio", "--crop", "--absolute"]),
        (["edit"], ["--smile", "--blink-left", "--gaze-up", "--size"]),
        (["motion", "extract"], ["--smoothing", ".json, .npz, or .csv"]),
        (["learn-face-model"], ["--validate", "--tier"]),
    ],
)
def test_each_command_explains_its_options(capsys, monkeypatch, command, words):
    monkeypatch.setenv("COLUMNS", "250")
    assert run_fadm(*command, "--help") == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in words)


@pytest.mark.parametrize("command", [[], ["motion"]])
def test_no_command_shows_the_help_and_no_empty_error(capsys, command):
    assert run_fadm(*command) == 2
    out, err = capsys.readouterr()
    assert "Commands" in out and err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["animat"], "Did you mean 'animate'"),
        (["animate", "--gapp", "hold"], "No such option: --gapp .*--gap"),
        (["animate", "a.png", "b.mp4"], "Missing option '-o'"),
        (["animate", "a.png", "b.mp4", "c.mp4", "-o", "d.mp4"], "unexpected extra argument"),
    ],
)
def test_mistyped_commands_are_one_line(capsys, arguments, message):
    assert run_fadm(*arguments) == 2
    assert re.search(message, error_line(capsys))


def test_version(capsys):
    assert run_fadm("--version") == 0
    assert capsys.readouterr().out == f"fadm {fadm.__version__}\n"
