"""`fadm data`: from raw videos to the shards that training and evaluation read, and their tracking anew."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from fadm.cli.animate import Json, Quiet
from fadm.cli.parameters import collect, takes_options
from fadm.cli.progress import show_progress
from fadm.data.prepare.options import PrepareOptions

app = typer.Typer(no_args_is_help=True, help="Prepare raw videos for training and evaluation.")


@app.command()
@takes_options(PrepareOptions)
def prepare(
    videos: Annotated[
        list[Path], typer.Argument(help="Videos, or folders of videos, of VoxCeleb, of CelebA, or of frames.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the shards: new, empty or unfinished.")],
    given: dict[str, Any],
    workers: Annotated[
        int | None, typer.Option(help="Processes, each with one thread; by default one per core.")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Cut VIDEOS into clips of one face each, as webdataset shards. The same command again resumes the preparation."""
    options = collect(PrepareOptions, given)
    with show_progress(quiet, as_json) as progress:
        from fadm.data.prepare.pipeline import CONTACT_SHEET, prepare_videos

        num_workers = count_cores() if workers is None else workers
        summary = prepare_videos(videos, output, options, num_workers, progress)
        files = f"{output}: {len(summary.shards)} shard(s), summary.json, {CONTACT_SHEET} (it shows people)"
        progress.finish({"output": str(output)} | summary.as_dict(), f"{files}\n{summary.table()}")


@app.command()
def retrack(
    shards: Annotated[list[Path], typer.Argument(help="Shards, or folders of shards.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for shards of the same names.")],
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Track the pictures of SHARDS anew, since their landmarks are another landmark model's.

    Shards that the folder holds already are kept, so the same command resumes.
    """
    with show_progress(quiet, as_json) as progress:
        from fadm.data.retrack import retrack_shards

        summary = retrack_shards(shards, output, progress)
        lost = f"{summary.lost_clips} clips and {summary.lost_frames} frames show no face"
        sentence = f"{output}: {summary.clips} clips, {summary.frames} frames; {lost} and are left out"
        progress.finish({"output": str(output)} | summary.as_dict(), sentence)


def count_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
