"""`fadm edit`: change a portrait's expression and pose by named controls."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fadm.cli.animate import Device
from fadm.cli.parameters import collect, takes_options
from fadm.controls import FaceControls
from fadm.options import EditOptions


@takes_options(FaceControls, EditOptions)
def edit(
    source: Annotated[Path, typer.Argument(help="Portrait: a picture of any common format.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Result: .png, .jpg or .webp.")],
    given: dict[str, Any],
    device: Device = "auto",
) -> None:
    """Make the face in SOURCE smile, blink, turn and more, without a driver."""
    controls, options = collect(FaceControls, given), collect(EditOptions, given)

    from fadm.animation.animator import Animator
    from fadm.animation.choices import choose_renderer
    from fadm.animation.files import edit_file

    transparency = edit_file(Animator(device=device), source, output, controls, options)
    renderer = "none" if controls == FaceControls() else choose_renderer(options)
    typer.echo(f"{output}: written" + ("" if renderer == "none" else f", rendered by {renderer}"))
    if transparency not in ("none", "kept"):
        typer.echo(f"the source's transparency is {transparency}")
