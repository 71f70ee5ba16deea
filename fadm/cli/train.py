"""`fadm train renderer|fomm|face_vid2vid|distill RECIPE`: train networks from clips, or resume a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from fadm.training.estimate import Estimate
    from fadm.training.logbook import StepReport
    from fadm.training.recipes import Recipe

app = typer.Typer(no_args_is_help=True, help="Train networks from clips; the same command again resumes the run.")

RecipeFile = Annotated[Path, typer.Argument(help="Recipe, .toml or .json (see configs/).")]
Folder = Annotated[Path, typer.Option("-o", "--output", help="Folder of the run; a run that it holds is resumed.")]
Shards = Annotated[
    list[Path] | None,
    typer.Option(
        "--data", help="Shard with training data, or a folder of shards; repeatable. By default synthetic faces."
    ),
]
Validation = Annotated[
    list[Path] | None,
    typer.Option("--validation", help="Shard with held-out identities, or a folder of shards; repeatable."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("-s", "--set", help="Change a key of the recipe, such as run.steps=2000; repeatable."),
]
Commercial = Annotated[
    bool,
    typer.Option(
        "--commercial",
        help="Refuse data under other than open terms, and weights whose terms forbid commercial use or are unknown.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the recipe, model size, memory and training time; train nothing.")
]


KINDS = {
    "renderer": "Train a renderer (FADM) on the frames of a frozen coarse generator.",
    "fomm": "Train a first order motion model.",
    "face_vid2vid": "Train a one-shot free-view model (Face vid2vid).",
    "distill": "Distil a trained renderer to fewer sampling steps, stage by stage.",
}


def _add_command(kind: str, purpose: str) -> None:
    @app.command(kind, help=purpose)
    def train_kind(
        recipe: RecipeFile,
        output: Folder,
        data: Shards = None,
        validation: Validation = None,
        change: Changes = None,
        commercial: Commercial = False,
        dry_run: DryRun = False,
    ) -> None:
        _train(kind, recipe, output, data, validation, change, commercial, dry_run)


for _kind, _purpose in KINDS.items():
    _add_command(_kind, _purpose)


def _train(
    kind: str,
    path: Path,
    output: Path,
    data: list[Path] | None,
    validation: list[Path] | None,
    changes: list[str] | None,
    is_commercial: bool,
    is_dry: bool,
) -> None:
    from functools import partial

    from rich.console import Console

    from fadm.training.processes import join_processes
    from fadm.training.recipes import check_terms, read_recipe
    from fadm.training.run import estimate, train

    places = {"shards": data, "validation": validation}
    given = [f"data.{name}={[str(place) for place in shards]}" for name, shards in places.items() if shards]
    recipe = read_recipe(kind, path, [*given, *(changes or ())])
    if is_commercial:
        check_terms(recipe)
    console = Console(quiet=not join_processes().is_main_process, highlight=False, soft_wrap=True)
    announce = partial(console.print, markup=False)
    if is_dry:
        _show_estimate(estimate(recipe, announce=announce), recipe, console)
    else:
        train(recipe, output, report=lambda report: _show_step(report, console), announce=announce)


def _show_estimate(estimate: "Estimate", recipe: "Recipe", console: "Console") -> None:
    import json

    from fadm.config import config_to_dict

    console.print(json.dumps(config_to_dict(recipe), indent=2), markup=False)
    sizes = ", ".join(f"{name} {count / 1e6:.1f} M parameters" for name, count in estimate.parameters.items())
    console.print(
        f"{sizes}; {estimate.gflops:.1f} GFLOP a sample; {estimate.gigabytes:.1f} GB; "
        f"{estimate.samples_per_second:.1f} samples/s on this machine, one process; "
        f"{recipe.run.steps} steps of {recipe.run.batch_size} take about {estimate.seconds / 3600:.1f} hours",
        markup=False,
    )


def _show_step(report: "StepReport", console: "Console") -> None:
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in report.numbers.items())
    console.print(f"step {report.step} of {report.steps}: {numbers}", markup=False)
    console.file.flush()  # whoever follows a log file sees it at once
