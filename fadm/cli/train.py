"""`fadm train renderer|fomm|face_vid2vid|distill RECIPE`: from clips to weights; the same command again goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from fadm.training.logbook import Progress
    from fadm.training.loop import Task
    from fadm.training.recipes import DistillationRecipe, Recipe

app = typer.Typer(no_args_is_help=True, help="Train networks from clips; the same command again goes on.")

RecipeFile = Annotated[Path, typer.Argument(help="Recipe, .toml or .json (see configs/).")]
Folder = Annotated[Path, typer.Option("-o", "--output", help="Folder of the run; one that holds the run goes on.")]
Shards = Annotated[list[Path] | None, typer.Option("--data", help="Shard to learn from, or their folder; repeatable.")]
Validation = Annotated[list[Path] | None, typer.Option("--validation", help="Shard of other people, to judge by.")]
Changes = Annotated[list[str] | None, typer.Option("-s", "--set", help="Change a key: run.steps=2000.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print recipe, size, memory and time; train nothing.")]


KINDS = {
    "renderer": "Train a renderer (FADM) on the frames of a frozen coarse generator.",
    "fomm": "Train a first order motion model.",
    "face_vid2vid": "Train a one-shot free-view model (Face vid2vid).",
    "distill": "Distil a trained renderer to fewer steps, stage by stage.",
}


def _add_command(kind: str, purpose: str) -> None:
    @app.command(kind, help=purpose)
    def train_kind(
        recipe: RecipeFile,
        output: Folder,
        data: Shards = None,
        validation: Validation = None,
        change: Changes = None,
        dry_run: DryRun = False,
    ) -> None:
        _train(kind, recipe, output, data, validation, change, dry_run)


for _kind, _purpose in KINDS.items():
    _add_command(_kind, _purpose)


def _train(
    kind: str,
    path: Path,
    output: Path,
    data: list[Path] | None,
    validation: list[Path] | None,
    changes: list[str] | None,
    is_dry: bool,
) -> None:
    from rich.console import Console

    from fadm.optional import require

    for package in ("accelerate", "tensorboard"):
        require(package, package=package, purpose="fadm train", extra="train")

    from fadm.training.loop import join_processes
    from fadm.training.recipes import DistillationRecipe, read_recipe

    places = {"shards": data, "validation": validation}
    given = [f"data.{name}={[str(place) for place in shards]}" for name, shards in places.items() if shards]
    recipe = read_recipe(kind, path, [*given, *(changes or ())])
    processes = join_processes()
    console = Console(quiet=not processes.is_main_process, highlight=False, soft_wrap=True)
    if isinstance(recipe, DistillationRecipe):
        _distill(recipe, output, is_dry, console)
    else:
        with processes.main_process_first():  # the others find the pairs in the cache
            task = _make_task(recipe, _show_preparation(console))
        _run(task, recipe, output, is_dry, console)


def _distill(recipe: "DistillationRecipe", output: Path, is_dry: bool, console: "Console") -> None:
    """Each stage is a run of its own, whose best weights teach the next."""
    from accelerate import PartialState

    from fadm.training.run_folder import RunFolder
    from fadm.training.tasks import distillation_task

    teacher = recipe.teacher
    for stage in recipe.objective.configs():
        folder = output / f"steps-{stage.student_steps}"
        console.print(f"from {stage.teacher_steps} steps to {stage.student_steps}", markup=False)
        with PartialState().main_process_first():
            task = distillation_task(recipe, stage, teacher, _show_preparation(console))
        _run(task, recipe, folder, is_dry, console)
        if is_dry:
            return
        teacher = str(RunFolder(folder).weights("fadm", "best"))


def _make_task(recipe: "Recipe", report: Callable[[str, int, int], None]) -> "Task":
    from fadm.training import tasks
    from fadm.training.recipes import FaceVid2VidRecipe, FOMMRecipe, RendererRecipe

    if isinstance(recipe, RendererRecipe):
        return tasks.renderer_task(recipe, report)
    if isinstance(recipe, FOMMRecipe):
        return tasks.fomm_task(recipe, report)
    assert isinstance(recipe, FaceVid2VidRecipe)
    return tasks.face_vid2vid_task(recipe, report)


def _run(task: "Task", recipe: "Recipe", output: Path, is_dry: bool, console: "Console") -> None:
    import json

    from accelerate import PartialState

    from fadm.config import config_to_dict
    from fadm.data.datasets import StepBatches
    from fadm.training.loop import train
    from fadm.training.run_folder import RunFolder

    if is_dry:
        console.print(json.dumps(config_to_dict(recipe), indent=2), markup=False)
        _show_estimate(task, recipe, console)
        return
    folder = RunFolder(output)
    run, world = recipe.run, PartialState().num_processes
    StepBatches(
        0, run.steps, run.batch_size, accumulation=run.accumulation, world=world
    )  # refuses what cannot be shared
    if PartialState().is_main_process:
        folder.open(recipe)
        console.print(f"{output}: the whole recipe is in recipe.json", markup=False)
    PartialState().wait_for_everyone()
    optimizers = {"generator": recipe.optimizer}
    if task.objective.discriminator is not None:
        optimizers["discriminator"] = getattr(recipe, "discriminator_optimizer", recipe.optimizer)
    train(task, recipe.run, recipe.data, optimizers, folder, lambda progress: _show(progress, console))
    console.print(f"{output}: done; weights are in *-best.safetensors and *-last.safetensors", markup=False)


def _show_estimate(task: "Task", recipe: "Recipe", console: "Console") -> None:
    from fadm.training.estimate import estimate_run

    estimate = estimate_run(task, recipe.run)
    sizes = ", ".join(f"{name} {count / 1e6:.1f} M parameters" for name, count in estimate.parameters.items())
    console.print(
        f"{sizes}; {estimate.gflops:.1f} GFLOP a sample; {estimate.gigabytes:.1f} GB; "
        f"{estimate.samples_per_second:.1f} samples/s on this machine, one process; "
        f"{recipe.run.steps} steps of {recipe.run.batch_size} take about {estimate.seconds / 3600:.1f} hours",
        markup=False,
    )


def _show_preparation(console: "Console") -> Callable[[str, int, int], None]:
    def report(what: str, done: int, total: int) -> None:
        if done == total or done % max(1, total // 10) == 0:
            console.print(f"{what}: {done} of {total}", markup=False)

    return report


def _show(progress: "Progress", console: "Console") -> None:
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in progress.numbers.items())
    console.print(f"step {progress.step} of {progress.steps}: {numbers}", markup=False)
    console.file.flush()  # who follows a log file sees it at once
