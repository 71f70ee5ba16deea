"""`fadm enhance`: render an animation made by other tools again."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fadm.cli.animate import Device, Json, Quiet
from fadm.cli.parameters import collect, takes_options
from fadm.cli.progress import show_progress
from fadm.options import EnhanceOptions


@takes_options(EnhanceOptions)
def enhance(
    video: Annotated[Path, typer.Argument(help="Animation: a video, a GIF or WebP, or a folder of pictures.")],
    output: Annotated[str, typer.Option("-o", "--output", help="Result: formats as for fadm animate.")],
    given: dict[str, Any],
    source: Annotated[
        Path | None, typer.Option(help="Portrait of the animation; by default its first frame with a face.")
    ] = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Render the face in VIDEO again with a diffusion model, which corrects distortions of the animation."""
    options = collect(EnhanceOptions, given)
    with show_progress(quiet, as_json) as progress:
        from fadm.animation.animator import Animator
        from fadm.animation.files import enhance_file

        summary = enhance_file(Animator(device=device), video, output, options, source, progress)
        progress.finish(vars(summary), summary.sentence())
