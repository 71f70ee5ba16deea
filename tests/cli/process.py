"""The command line in a process of its own, with a command for tests that writes a file until it is stopped."""

import subprocess
import sys
from pathlib import Path

# What the process says on standard output tells when to send a signal.
PROGRAM = """
import sys, time
from pathlib import Path
from typing import Annotated

import typer
from fadm.cli import main
from fadm.cli.commands import app
from fadm.cli.progress import show_progress
from fadm.files import place_of, replace_file

@app.command("work")
def work(output: Path, clean_up: float = 0, quiet: bool = False, seconds: float = 60):
    with show_progress(quiet, as_json=False) as progress, replace_file(place_of(output)) as temporary:
        temporary.mkdir()
        (temporary / "picture.png").write_text("half")
        progress.stage("rendering", 8)
        progress.advance()
        try:
            print("begun", flush=True)
            time.sleep(seconds)
        finally:
            print("clearing up", flush=True)
            time.sleep(clean_up)

main()
"""
FOLDER = Path(__file__).parents[2]


def start_fadm(*arguments: object, program: str = PROGRAM, **options) -> subprocess.Popen[str]:
    """Start the command line; options are `Popen`'s."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, text=True, cwd=FOLDER, **pipes)
