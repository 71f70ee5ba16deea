"""`fadm animate`: animate a portrait by a driver."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fadm.cli.parameters import collect, takes_options
from fadm.cli.progress import show_progress
from fadm.options import AnimateOptions

Device = Annotated[str, typer.Option(help="Device of the networks: auto, cpu, cuda, cuda:1 or mps.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]
Json = Annotated[bool, typer.Option("--json", help="Print progress and the summary as JSON lines.")]


@takes_options(AnimateOptions)
def animate(
    source: Annotated[Path, typer.Argument(help="Portrait: a picture of any common format.")],
    driving: Annotated[
        Path, typer.Argument(help="Driver: a video, a GIF or WebP, a folder of pictures, a picture or a motion file.")
    ],
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            help="Result: .mp4, .m4v, .mov, .mkv, .webm, .gif, folder of PNGs (ends in /), .png of one frame.",
        ),
    ],
    given: dict[str, Any],
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make the face in SOURCE move like the one in DRIVING."""
    options = collect(AnimateOptions, given)
    with show_progress(quiet, as_json) as progress:
        from fadm.animation.animator import Animator
        from fadm.animation.files import animate_file

        summary = animate_file(Animator(device=device), source, driving, output, options, progress)
        progress.finish(vars(summary), summary.sentence())
