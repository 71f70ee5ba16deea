"""`fadm face`: show the faces of a picture with their measures."""

import json
from pathlib import Path
from typing import Annotated

import typer

from fadm.cli.animate import Device


def face(
    picture: Annotated[Path, typer.Argument(help="Picture of one or more faces, of any common format.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Annotated picture: .png, .jpg or .webp.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all measures as one JSON document.")] = False,
    device: Device = "auto",
    commercial: Annotated[
        bool, typer.Option("--commercial", help="Leave out DECA's mesh where its terms do not allow commercial use.")
    ] = False,
) -> None:
    """Show every face in PICTURE: its number for --face, landmarks, head angles, expression, and DECA's mesh."""
    from fadm.animation.inspection import inspect_file

    seen = inspect_file(picture, output, device=device, commercial=commercial)
    typer.echo(json.dumps(seen.describe()) if as_json else seen.report())
