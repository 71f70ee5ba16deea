"""The `fadm` command: parse, check, call; one file per command."""

import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from fadm import __version__
from fadm.cli import animate, data, edit, enhance, evaluate, face, face_model, motion, train, weights
from fadm.errors import FadmError

MISTAKE, INTERRUPTED = 2, 130

app = typer.Typer(name="fadm", no_args_is_help=True, add_completion=False)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"fadm {__version__}")
        raise typer.Exit


@app.callback()
def _group(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Animate a portrait by a video, a picture or named controls."""


app.command("animate")(animate.animate)
app.command("enhance")(enhance.enhance)
app.command("edit")(edit.edit)
app.command("face")(face.face)
app.add_typer(motion.app, name="motion")
app.command("learn-face-model")(face_model.learn_face_model)
app.add_typer(weights.app, name="weights")
app.add_typer(data.app, name="data")
app.add_typer(train.app, name="train")
app.add_typer(evaluate.app, name="eval")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 for success, 2 for a user's mistake, printed in one line.

    Args:
        arguments: The arguments; None takes those of the process.

    Raises:
        SystemExit: Always, with the exit status.
    """
    try:
        result = app(arguments, standalone_mode=False)  # an interrupt comes back as its exit status
    except (FadmError, TyperException) as error:
        message = error.format_message() if isinstance(error, TyperException) else str(error)
        if message:  # empty where the help was shown instead
            sys.stderr.write(f"fadm: {' '.join(message.split())}\n")
        sys.exit(MISTAKE)
    if result == INTERRUPTED:
        sys.stderr.write("fadm: interrupted\n")
    sys.exit(result if isinstance(result, int) else 0)
