"""Train a recipe: build its task, then run or resume it; a distillation does this stage by stage.

This is what `fadm train` calls, and what `fadm.train` is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fadm.data.datasets import StepBatches
from fadm.training import loop, tasks
from fadm.training.estimate import Estimate, estimate_run
from fadm.training.logbook import StepReport
from fadm.training.loop import Task
from fadm.training.processes import join_processes
from fadm.training.recipes import DistillationRecipe, FOMMRecipe, Recipe, RendererRecipe
from fadm.training.run_folder import RunFolder

Announce = Callable[[str], None]  # takes one line of text about what is being done


@dataclass(frozen=True)
class Stage:
    """One run of the training loop: a whole recipe, or one stage of a distillation.

    Attributes:
        folder: The folder of the run.
        title: What the stage does; empty where a recipe has one stage.
        build_task: Reads the data and builds the networks, and reports the preparation of data meanwhile.
    """

    folder: RunFolder
    title: str
    build_task: Callable[[tasks.Report], Task]


def train(
    recipe: Recipe,
    output: str | Path,
    *,
    report: Callable[[StepReport], None] = lambda report: None,
    announce: Announce = lambda line: None,
) -> dict[str, Path]:
    """Train a recipe to its last step; where the folder holds the same run already, resume it.

    Ctrl-C, SIGTERM and SIGHUP finish the step, write a checkpoint and raise KeyboardInterrupt. Where a launcher
    (torchrun, accelerate launch) started several processes, each of them calls this.

    Args:
        recipe: What is trained, on which data, for how long.
        output: Folder of the run, new or of the same recipe; a distillation has a folder in it for each stage.
        report: Called in the main process with mean losses and validations, when the recipe says.
        announce: Called in the main process with lines of text about stages, data and files.

    Returns:
        The file of the best weights of each network, by its name; those of the last stage of a distillation.

    Raises:
        PackageError: A package or a pretrained network is missing.
        ConfigError: The recipe contradicts itself, or the folder holds another run.
        OptionError: Sizes, steps or weights of the recipe do not fit each other.
        InputError: The data cannot be read, or identities are both in training and validation data.
        WeightsError: Weights or a checkpoint cannot be read.
        OutputError: A file cannot be written.
        TrainingError: Training has diverged.
    """
    if not join_processes().is_main_process:
        announce = _keep_silent
    weights: dict[str, Path] = {}
    for stage in plan_stages(recipe, Path(output)):
        weights = _train_stage(stage, recipe, report, announce)
    return weights


def estimate(recipe: Recipe, *, announce: Announce = lambda line: None) -> Estimate:
    """Measure what training a recipe needs, on a few real steps; of a distillation, its first stage.

    The data are read and the pairs of frames made, which a run then finds in the cache; nothing else is written.

    Args:
        recipe: What would be trained.
        announce: Called in the main process with lines of text about the preparation of data.

    Returns:
        Size, speed, memory and duration with one process of this machine.

    Raises:
        FadmError: As in `train`.
    """
    if not join_processes().is_main_process:
        announce = _keep_silent
    first, *_ = plan_stages(recipe, Path())
    return estimate_run(_build_task(first, announce), recipe.run)


def plan_stages(recipe: Recipe, output: Path) -> list[Stage]:
    """List the runs that a recipe consists of.

    Args:
        recipe: The recipe.
        output: The folder for all of them.

    Returns:
        The stages in their order: several for a distillation, in which the best weights of a stage are the teacher of
        the next one; otherwise one.
    """
    if not isinstance(recipe, DistillationRecipe):
        return [Stage(RunFolder(output), "", _choose_task(recipe))]
    stages, teacher = [], recipe.teacher
    for config in recipe.objective.configs():
        folder = RunFolder(output / f"steps-{config.student_steps}")
        title = f"from {config.teacher_steps} steps to {config.student_steps}"
        stages.append(Stage(folder, title, partial(tasks.distillation_task, recipe, config, teacher)))
        teacher = str(folder.weights("fadm", "best"))
    return stages


def _choose_task(recipe: Recipe) -> Callable[[tasks.Report], Task]:
    if isinstance(recipe, RendererRecipe):
        return partial(tasks.renderer_task, recipe)
    if isinstance(recipe, FOMMRecipe):
        return partial(tasks.fomm_task, recipe)
    assert not isinstance(recipe, DistillationRecipe)
    return partial(tasks.face_vid2vid_task, recipe)


def _build_task(stage: Stage, announce: Announce) -> Task:
    if stage.title:
        announce(stage.title)
    with join_processes().main_process_first():  # the others find the pairs in the cache
        return stage.build_task(partial(_announce_preparation, announce))


def _train_stage(
    stage: Stage, recipe: Recipe, report: Callable[[StepReport], None], announce: Announce
) -> dict[str, Path]:
    """Run or resume one stage and return its best weights."""
    task, run, folder = _build_task(stage, announce), recipe.run, stage.folder
    processes = join_processes()
    # Raises ConfigError for a batch that cannot be divided, before the folder is made.
    StepBatches(0, run.steps, run.batch_size, accumulation=run.accumulation, world=processes.num_processes)
    if processes.is_main_process:
        folder.open(recipe)
        announce(f"{folder.path}: the whole recipe is in recipe.json")
    processes.wait_for_everyone()
    optimizers = {"generator": recipe.optimizer}
    if task.objective.discriminator is not None:
        optimizers["discriminator"] = getattr(recipe, "discriminator_optimizer", recipe.optimizer)
    loop.train(task, run, recipe.data, optimizers, folder, report)
    announce(f"{folder.path}: done; weights are in *-best.safetensors and *-last.safetensors")
    return {name: folder.weights(name, "best") for name in task.objective.networks}


def _announce_preparation(announce: Announce, what: str, done: int, total: int) -> None:
    """Announce every tenth of the preparation of data."""
    if done == total or done % max(1, total // 10) == 0:
        announce(f"{what}: {done} of {total}")


def _keep_silent(line: str) -> None:
    """Announce nothing."""
