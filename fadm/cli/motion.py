"""`fadm motion`: extract a driver's motion to a file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fadm.cli.animate import Json, Quiet
from fadm.cli.parameters import collect, takes_options
from fadm.cli.progress import show_progress
from fadm.options import MotionOptions

DRIVER = "Driver: a video, a GIF or WebP, a folder of pictures, a picture, or a motion file to write in another format."
app = typer.Typer(no_args_is_help=True, help="Extract a driver's motion to a file.")


@app.callback()
def _group() -> None:
    """Make `extract` a subcommand although it is the only one."""


@app.command()
@takes_options(MotionOptions)
def extract(
    driving: Annotated[Path, typer.Argument(help=DRIVER)],
    output: Annotated[Path, typer.Option("-o", "--output", help="Motion file: .json, .npz, or .csv for face capture.")],
    given: dict[str, Any],
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Track the face in DRIVING and write its motion to a file, which contains no picture."""
    options = collect(MotionOptions, given)
    with show_progress(quiet, as_json) as progress:
        from fadm.animation.animator import Animator
        from fadm.animation.files import extract_file

        motion = extract_file(Animator(device="cpu"), driving, output, options, progress)
        report = {"output": str(output), "frames": len(motion), "shots": len(motion.identity)}
        progress.finish(report, f"{output}: {len(motion)} frames, {len(motion.identity)} shot(s)")
