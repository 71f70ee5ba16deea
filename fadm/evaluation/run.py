"""A run from its cases to its files."""

from contextlib import closing
from pathlib import Path
from typing import Any

from fadm.evaluation.evaluator import Evaluation, evaluate
from fadm.evaluation.journal import RUN, read_run
from fadm.evaluation.options import MeasureOptions
from fadm.evaluation.outputs.files import MARKDOWN, measure_time, write_outputs
from fadm.evaluation.statistics import summarise
from fadm.progress import NO_PROGRESS, Progress


def run_and_write(
    evaluation: Evaluation, folder: Path, options: MeasureOptions, progress: Progress = NO_PROGRESS
) -> tuple[dict[str, Any], str]:
    """Evaluate into a folder -> a report as data and in words. Raises FadmError."""
    with closing(evaluation.extractors):
        evaluate(evaluation, folder, save_frames=options.save_frames, progress=progress)
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
