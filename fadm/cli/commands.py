"""The commands of `fadm`, one file for each."""

from typing import Annotated

import typer

from fadm import __version__
from fadm.cli import animate, data, edit, enhance, evaluate, face, face_model, motion, train, weights

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
