"""An evaluation from what was asked for to its files; `evaluate` is `fadm eval run` and `fadm eval ablation`."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from fadm.device import choose_device
from fadm.evaluation.build import build_ablation, build_evaluation, choose_pairs, choose_protocol, read_clips
from fadm.evaluation.evaluator import Evaluation, measure_cases
from fadm.evaluation.journal import RUN, read_run
from fadm.evaluation.options import AblationOptions, MeasureOptions, RunOptions
from fadm.evaluation.outputs.files import MARKDOWN, measure_time, write_outputs
from fadm.evaluation.statistics import summarise
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
    """Measure one method, or one renderer in several variants; called again after a kill, it resumes.

    Args:
        model: `geometric`, `unmoved`, weights by name or file, or a folder of results.
        data: Shards or folders of shards; for the protocol two-folders the plain folder of what results should be.
        output: Folder of the run: new, empty or unfinished.
        options: What is measured on what; AblationOptions make it an ablation.
        pairs: A pair list; drawn unless given.
        device: Where the networks compute.
        progress: Follows the work.

    Returns:
        The means by metric and stage with counts and seconds as data, and the table in words.

    Raises:
        FadmError: A choice makes no sense, or data or weights cannot be used.
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
        evaluation: What is evaluated on what.
        folder: Folder of the run.
        options: What is kept.
        progress: Follows the work.

    Returns:
        As `evaluate`.

    Raises:
        FadmError: The folder holds something else, or a picture is damaged.
    """
    with closing(evaluation.extractors):
        measure_cases(evaluation, folder, save_frames=options.save_frames, progress=progress)
        told, pairs, results = read_run(folder)  # as it is kept, so that a resumed run gives the same to the digit
        summary = summarise(told, pairs, results)
        write_outputs(folder, summary, pairs, results)
        if options.report:
            from fadm.evaluation.outputs.report import write_report

            write_report(evaluation, summary, results, folder, progress)
    timing = measure_time(results, pairs)
    report = {"output": str(folder), "frames": pairs.num_frames, "seconds": timing["seconds"]}
    report["means"] = {n: {s: i.estimate for s, i in by.items()} for n, by in summary.means.items()}
    table = (folder / MARKDOWN).read_text(encoding="utf-8")
    return report, f"{table}\n{folder}: {', '.join(sorted(p.name for p in folder.iterdir() if p.name != RUN))}"
