import json
import os
import subprocess
import sys

import pytest

from tests.cli.process import FOLDER, PROGRAM, start_fadm

FULL = "fadm: standard output cannot be written: No space left on device; direct it to another place\n"


def run_shell(line: str, **options) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell in which $fadm is the command -> what it printed, with the command's own status."""
    environment = os.environ | {"fadm": f"{sys.executable} -m fadm"}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=FOLDER,
        env=environment,
        **options,
    )


@pytest.mark.parametrize(
    ("line", "status", "err"),
    [
        ("$fadm --version 2>&-", 0, ""),
        ("$fadm --version >&-", 0, ""),
        ("$fadm --version <&- >&- 2>&-", 0, ""),
        ("$fadm animat 2>&-", 2, ""),
        ("$fadm animat 2>/dev/full", 2, ""),
        ("$fadm weights list >/dev/full", 2, FULL),
        ("$fadm --help >/dev/full", 2, FULL),
        ("$fadm weights list | true", 0, ""),
        ("$fadm --help | head -n 1", 0, ""),
    ],
)
def test_a_stream_that_is_closed_full_or_not_read(line, status, err):
    ended = run_shell(line)
    assert (ended.returncode, ended.stderr) == (status, err)


WRITES = """
import os
from pathlib import Path
from fadm.cli import main
from fadm.cli.commands import app
@app.command()
def write(output: Path):
    with output.open("w") as file:
        file.write("whole")
        for descriptor in (1, 2):
            os.write(descriptor, b"a library's notice")
main()
"""


@pytest.mark.parametrize("streams", ["2>&-", ">&-", "2>&- >&- <&-"])
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path, streams):
    """What libraries write to that stream would be in the file."""
    (tmp_path / "writes.py").write_text(WRITES)
    ended = run_shell(f"PYTHONPATH=. {sys.executable} {tmp_path}/writes.py write {tmp_path}/a {streams}")
    assert ended.returncode == 0 and (tmp_path / "a").read_text() == "whole"


def test_progress_that_nobody_reads_any_more_does_not_stop_the_work(tmp_path):
    program = PROGRAM.replace("show_progress(quiet, as_json=False)", "show_progress(quiet, as_json=True)")
    program = program.replace("time.sleep(seconds)", "input(); [progress.stage(str(i), 8) for i in range(99)]")
    process = start_fadm("work", tmp_path / "out", program=program, stdin=subprocess.PIPE)
    assert json.loads(process.stdout.readline()) == {"stage": "rendering", "done": 0, "total": 8}
    process.stdout.close()
    assert process.communicate("go on\n", timeout=20)[1] == "" and process.returncode == 0
    assert (tmp_path / "out" / "picture.png").read_text() == "half"


def test_a_name_that_is_no_text_is_shown(tmp_path):
    program = "import typer\nfrom fadm.cli import main\nfrom fadm.cli.commands import app\n"
    program += "@app.command()\ndef say(name: str): typer.echo(name)\nmain()"
    process = start_fadm("say", os.fsdecode(b"\xff.png"), program=program)
    assert process.communicate(timeout=20) == ("\\udcff.png\n", "") and process.returncode == 0


def test_warnings_of_libraries_are_shown_to_who_asks():
    program = "import sys, warnings\nfrom fadm.cli.streams import prepare_streams\nprepare_streams()\n"
    program += "warnings.warn('a warning')"
    for flags, is_shown in ((), False), (("-W", "default"), True):
        command = [sys.executable, *flags, "-c", program]
        said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=FOLDER).stderr
        assert ("a warning" in said) == is_shown
