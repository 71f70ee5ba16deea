"""Runs an evaluation and writes its files: the work of `fadm eval run` and `fadm eval ablation`."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from fadm.device import choose_device
from fadm.evaluation.build import build_ablation, build_evaluation, choose_pairs, choose_protocol, read_clips
from fadm.evaluation.evaluator import Evaluation, measure_cases
from fadm.evaluation.following import Following
from fadm.evaluation.journal import RUN, read_run
from fadm.evaluation.options import AblationOptions, MeasureOptions, RunOptions
from fadm.evaluation.outputs.files import MARKDOWN, measure_time, write_outputs
from fadm.evaluation.statistics import summarise
from fadm.optional import require
from fadm.progress import NO_PROGRESS, Progress


def evaluate(
    model: str,
    data: Sequence[Path],
    output: Path,
    options: RunOptions | AblationOptions | None = None,
    *,
    pairs: Path | None = None,
    device: str = "auto",
    progress: Progress = NO_PROGRESS,
) -> tuple[dict[str, Any], str]:
    """Measure one method, or one renderer in several variants; called again after an interruption, it resumes.

    Args:
        model: `geometric`, `unmoved`, weights by name or file, or a folder of results.
        data: Shards or folders of shards; for the protocol two-folders the plain folder of the expected pictures.
        output: Folder of the run: new, empty or unfinished.
        options: Options of the pairs, model and metrics; AblationOptions make it an ablation.
        pairs: File of a pair list; drawn by default.
        device: Where the networks compute.
        progress: Follows the work.

    Returns:
        The means by metric and stage, expression following by movement and stage, counts and seconds as data, and the
        table as text.

    Raises:
        FadmError: Choices contradict each other, data or weights cannot be used, or a package is missing.
    """
    options = options or RunOptions()
    where = choose_device(device)
    clips = read_clips(data, choose_protocol(options, pairs), progress)
    chosen = choose_pairs(clips, options, pairs)
    if isinstance(options, AblationOptions):
        evaluation = build_ablation(model, clips, chosen, options, where)
    else:
        evaluation = build_evaluation(model, clips, chosen, options, where)
    return run_and_write(evaluation, output, options, progress)


def run_and_write(
    evaluation: Evaluation, folder: Path, options: MeasureOptions, progress: Progress = NO_PROGRESS
) -> tuple[dict[str, Any], str]:
    """Measure an evaluation's cases and write tables, plots and report.

    Args:
        evaluation: The evaluation.
        folder: Folder of the run.
        options: What is saved.
        progress: Follows the work.

    Returns:
        As `evaluate`.

    Raises:
        PackageError: A plot is needed and matplotlib is missing; nothing was measured.
        FadmError: The folder holds another run, or a picture is damaged.
    """
    with closing(evaluation.extractors):
        if options.report or len(evaluation.method.stages) > 2:  # an ablation draws a curve
            require("matplotlib", package="matplotlib", purpose="a plot")  # before hours of measuring, not after
        measure_cases(evaluation, folder, save_frames=options.save_frames, progress=progress)
        manifest, pairs, results = read_run(folder)  # as stored, so that a resumed run gives the same to the digit
        summary = summarise(manifest, pairs, results)
        write_outputs(folder, summary, pairs, results)
        if options.report:
            from fadm.evaluation.outputs.report import write_report

            write_report(evaluation, summary, results, folder, progress)
    timing = measure_time(results, pairs)
    report = {"output": str(folder), "frames": pairs.num_frames, "seconds": timing["seconds"]}
    report["means"] = {n: {s: i.estimate for s, i in by.items()} for n, by in summary.means.items()}
    report["following"] = {
        name: {stage: _describe_following(found) for stage, found in by_stage.items()}
        for name, by_stage in summary.following.items()
    }
    table = (folder / MARKDOWN).read_text(encoding="utf-8")
    return report, f"{table}\n{folder}: {', '.join(sorted(p.name for p in folder.iterdir() if p.name != RUN))}"


def _describe_following(found: Following) -> dict[str, float | None]:
    correlation = None if found.correlation is None else found.correlation.estimate
    return {"gain": found.gain.estimate, "correlation": correlation}
