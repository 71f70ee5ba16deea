import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INTERPRETER = """#!/bin/sh
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip") echo "$@" >> pip.log ;;
    *) exec {python} -c "import platform, sys
sys.version_info, sys.version, sys.base_prefix = {version}, '{version}', '{name}'
platform.python_version = lambda: '.'.join(map(str, {version}))
sys.modules |= dict(pip=sys, ensurepip={venv}, torch=type('torch', (), dict(__version__='1.0+cpu')))
$2" ;;
esac
"""


@pytest.fixture
def folder(tmp_path):
    """The set-up in a folder of its own, with interpreters that make no environment and install nothing."""
    for name in ("setup.sh", "Makefile"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "requirements.txt").write_text("torch==1.0\n")
    (tmp_path / "bin").mkdir()
    add_interpreter(tmp_path, "python3", (3, 12, 1))
    return tmp_path


def add_interpreter(folder, name, version, venv="sys"):
    path = folder / "bin" / name
    path.write_text(INTERPRETER.format(python=sys.executable, version=version, name=name, venv=venv))
    path.chmod(0o755)


def make(folder, *arguments):
    environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    command = ["make", "-s", *arguments, f"{dict([a.split('=') for a in arguments]).get('VENV', '.venv')}/ready"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("missing", "does not run"),
        ("true", "is no Python"),  # a command that ends well whatever it is given
        ("echo", "is no Python"),
        ("python3.10", "is Python 3.10.13"),
        ("python3.15", "is Python 3.15.0"),
        ("bare", "is Python 3.12.1"),
    ],
)
def test_a_named_interpreter_that_does_not_fit_is_an_error(folder, name, found):
    add_interpreter(folder, "python3.10", (3, 10, 13))
    add_interpreter(folder, "python3.15", (3, 15, 0))
    add_interpreter(folder, "bare", (3, 12, 1), venv="None")
    assert make(folder).returncode == 0
    result = make(folder, f"PYTHON={name}")
    line, of_make = result.stderr.splitlines()
    assert result.returncode == 2 and of_make.startswith("make: ***")
    assert line == (
        f"set-up: PYTHON={name} {found}; fadm needs Python 3.11 to 3.14 with the modules venv and ensurepip"
    )
    assert (folder / ".venv" / "ready").exists()


def test_the_folder_is_made_anew_for_another_interpreter_only(folder):
    add_interpreter(folder, "python3.13", (3, 13, 0))
    assert "making .venv: python3 is Python 3.12.1" in make(folder).stdout
    assert make(folder, "PYTHON=python3").stdout == ""
    assert "making .venv: python3.13 is Python 3.13.0" in make(folder, "PYTHON=python3.13").stdout
    assert make(folder, "PYTHON=python3.13").stdout == make(folder).stdout == ""


def test_another_folder_leaves_the_first_alone(folder):
    make(folder)
    assert "making .venv-newest: python3 is Python 3.12.1" in make(folder, "VENV=.venv-newest").stdout
    assert make(folder).stdout == make(folder, "VENV=.venv-newest", "PYTHON=python3").stdout == ""


def test_a_change_of_the_requirements_is_installed(folder):
    make(folder)
    for arguments in ((), ("PYTHON=python3",)):
        os.utime(folder / ".venv" / "ready", (0, 0))
        output = make(folder, *arguments).stdout
        assert "installing fadm" in output and "making" not in output


def test_without_a_name_the_newest_replaces_a_python3_that_does_not_fit(folder):
    add_interpreter(folder, "python3", (3, 9, 18))
    for minor in (11, 13, 14):
        add_interpreter(folder, f"python3.{minor}", (3, minor, 0))
    assert "making .venv: python3.14 is Python 3.14.0" in make(folder).stdout
