"""`fadm eval`: measures and compares methods."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fadm.cli.animate import Device, Json, Quiet
from fadm.cli.parameters import collect, takes_options
from fadm.cli.progress import show_progress
from fadm.evaluation.options import AblationOptions, DrawOptions, RunOptions

app = typer.Typer(no_args_is_help=True, help="Measure and compare models and the results of other tools.")

Data = Annotated[
    list[Path],
    typer.Option(
        "--data",
        help="Shards, or folders of them; for two-folders the plain folder of the expected pictures. "
        "May be given several times.",
    ),
]
Pairs = Annotated[Path | None, typer.Option("--pairs", help="Pair list of `fadm eval pairs`; drawn by default.")]
Folder = Annotated[Path, typer.Option("-o", "--output", help="Folder of the run: new, empty or unfinished.")]


@app.command()
@takes_options(DrawOptions)
def pairs(
    data: Annotated[list[Path], typer.Argument(metavar="SHARDS", help="Shards, or folders of them.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Pair list: a .json file.")],
    given: dict[str, Any],
    pictures: Annotated[
        Path | None,
        typer.Option(help="Also write the cases' pictures into this new folder, for other tools (they show people)."),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Draw pairs of source and driver, as a file that names clips and frames but no path."""
    options = collect(DrawOptions, given)
    with show_progress(quiet, as_json) as progress:
        from fadm.evaluation.build import read_clips
        from fadm.evaluation.pairs import draw_pairs, write_pairs

        clips = read_clips(data, options.protocol, progress)
        drawn = draw_pairs(clips, options)
        write_pairs(drawn, output)
        if pictures is not None:
            from fadm.evaluation.export import export_pictures

            export_pictures(drawn, clips, pictures, progress)
        text = f"{output}: {len(drawn.cases)} cases, {drawn.num_frames} frames, sha256 {drawn.sha256[:12]}"
        if drawn.left_out:
            text += f"; {drawn.left_out} clips have fewer than two frames and are left out"
        report = {"output": str(output), "cases": len(drawn.cases), "frames": drawn.num_frames}
        progress.finish(report | {"sha256": drawn.sha256}, text)


@app.command()
@takes_options(RunOptions)
def run(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|FOLDER",
            help="geometric, unmoved (the source itself), weights by name or file, or a folder of results.",
        ),
    ],
    data: Data,
    output: Folder,
    given: dict[str, Any],
    pair_list: Pairs = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure one method; run again after an interruption, it resumes."""
    _measure(model, data, output, collect(RunOptions, given), pair_list, device, quiet, as_json)


@app.command()
@takes_options(AblationOptions)
def ablation(
    model: Annotated[str, typer.Argument(help="A renderer's weights by name or file.")],
    data: Data,
    output: Folder,
    given: dict[str, Any],
    pair_list: Pairs = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure one renderer with several numbers of steps, and without some of its conditions."""
    _measure(model, data, output, collect(AblationOptions, given), pair_list, device, quiet, as_json)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs on the same pairs.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for the tables; by default they are only shown.")
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Show published figures as well; they are not comparable.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare runs side by side, with paired differences from the first."""
    from fadm.evaluation.comparison import compare_runs

    compared = compare_runs(runs, with_published=published)
    if output is not None:
        compared.write(output)
    typer.echo(compared.json() if as_json else compared.markdown(), nl=False)


def _measure(
    model: str,
    data: list[Path],
    output: Path,
    options: RunOptions | AblationOptions,
    pair_list: Path | None,
    device: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Evaluate for `run` and `ablation`."""
    with show_progress(quiet, as_json) as progress:
        from fadm.evaluation.run import evaluate

        report, table = evaluate(model, data, output, options, pairs=pair_list, device=device, progress=progress)
        progress.finish(report, table)
