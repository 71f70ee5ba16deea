"""Runs side by side on the same cases, with paired differences from the first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fadm.errors import OptionError
from fadm.evaluation.following import collect_motions, measure_following
from fadm.evaluation.journal import CaseResult, read_run
from fadm.evaluation.measures import METRICS
from fadm.evaluation.outputs.following import following_tables
from fadm.evaluation.outputs.records import write_json
from fadm.evaluation.outputs.tables import detail_table, paper_table, set_table, write_latex
from fadm.evaluation.pairs import PairList
from fadm.evaluation.published import published_table
from fadm.evaluation.statistics import Change, Summary, collect, compare, compare_sets, find_infinite, mean_of
from fadm.files import explain_failure, write_whole
from fadm.metrics.bootstrap import Interval

SAME = {  # entries of the manifests that must be equal where they are present, and how to make them so
    "pairs": "give all of them one pair list with --pairs",
    "data": "give all of them one pair list with --pairs",
    "arcface": "give all of them one file with --arcface",
}
MARKDOWN, LATEX, JSON = "comparison.md", "comparison.tex", "comparison.json"


@dataclass(frozen=True)
class _Entry:
    """A stage of a run under its title in the tables."""

    title: str
    stage: str
    results: dict[str, CaseResult]


@dataclass(frozen=True)
class Comparison:
    """Runs as the stages of one summary; the others are compared with the first.

    Attributes:
        summary: Means, changes and notes, with the runs' titles as stages.
        with_published: Whether the tables end with published figures.
    """

    summary: Summary
    with_published: bool

    @property
    def rows(self) -> list[tuple[str, dict[str, Interval]]]:
        """Means by metric, for each run."""
        means = self.summary.means
        return [(title, {n: by[title] for n, by in means.items() if title in by}) for title in self.summary.stages]

    def markdown(self) -> str:
        """Write the papers' table, every metric with its paired change, notes, and published figures as Markdown."""
        summary = self.summary
        counts = ", ".join(f"{title} {made}" for title, made in summary.made.items())
        overview = (
            f"{summary.num_cases} cases, {summary.num_frames} frames of {summary.manifest['protocol']}; pairs "
            f"{summary.manifest['pairs'][:12]}, data {summary.manifest['data'][:12]}. Frames made: {counts}. Changes "
            f"are against {summary.stages[0]}, on the frames that both have. In brackets: 95 % intervals from "
            "resampling whole clips."
        )
        lines = ["# Comparison", "", overview, "", *paper_table(self.rows), "", *detail_table(summary)]
        if summary.sets:
            lines += ["", *set_table(summary)]
        lines += following_tables(summary)
        if summary.notes:
            lines += ["", "Notes:", *(f"- {note}" for note in summary.notes)]
        if self.with_published:
            is_cross = summary.manifest["protocol"] == "cross-identity"
            lines += ["", *published_table(is_cross_identity=is_cross)]
        return "\n".join(lines) + "\n"

    def json(self) -> str:
        """Write the same as JSON."""
        return write_json(self.summary)

    def write(self, folder: Path) -> None:
        """Write the tables as Markdown, LaTeX and JSON.

        Args:
            folder: The folder; made where it is missing.

        Raises:
            OutputError: A file cannot be written.
        """
        with explain_failure(folder):
            folder.mkdir(parents=True, exist_ok=True)
        for name, text in ((MARKDOWN, self.markdown()), (LATEX, write_latex(self.rows)), (JSON, self.json())):
            write_whole(folder / name, text.encode())


def compare_runs(folders: Sequence[Path], *, with_published: bool = False) -> Comparison:
    """Compare runs on the same pairs and data.

    The rendered frames of a model are compared, and all variants of an ablation.

    Args:
        folders: The runs' folders; the others are compared with the first.
        with_published: Whether published figures are shown as well.

    Returns:
        The comparison.

    Raises:
        InputError: A folder holds no run.
        OptionError: Runs differ in pairs, data or networks, or have the same title.
    """
    runs = [(folder, *read_run(folder)) for folder in folders]
    _, first, pairs, _ = runs[0]
    for key, remedy in SAME.items():
        present = [(manifest[key], folder) for folder, manifest, *_ in runs if key in manifest]
        other = next((folder for value, folder in present if value != present[0][0]), None)
        if other is not None:
            raise OptionError(
                f"'{other}' was measured on other {key} than '{present[0][1]}'; "
                f"runs are compared only on the same ones, {remedy}"
            )
    entries = _title([(folder, manifest, results) for folder, manifest, _, results in runs])
    notes = [
        f"{folder.name}: {gap}" for folder, manifest, _, results in runs for gap in _find_gaps(manifest, pairs, results)
    ]
    return Comparison(_summarise(first, pairs, entries, notes), with_published)


def _title(runs: Sequence[tuple[Path, dict[str, Any], dict[str, CaseResult]]]) -> list[_Entry]:
    """Title runs by their methods, with stage and folder where the name alone is ambiguous."""
    found = []
    for folder, manifest, results in runs:
        stages = manifest["stages"][1:] or manifest["stages"]
        for stage in stages:
            title = str(manifest["method"]) + (f", {stage}" if len(stages) > 1 else "")
            found.append((title, folder.resolve().name, stage, results))
    titles = [title for title, *_ in found]
    entries = [
        _Entry(f"{title} ({name})" if titles.count(title) > 1 else title, stage, results)
        for title, name, stage, results in found
    ]
    if len({entry.title for entry in entries}) < len(entries):
        raise OptionError("two of the runs have the same method and the same name; rename a folder, or give it once")
    return entries


def _find_gaps(manifest: dict[str, Any], pairs: PairList, results: dict[str, CaseResult]) -> list[str]:
    """Describe what limits the comparison of a run: its notes, unmeasured cases and imperfect results."""
    gaps = [f"{kind}: {text}" for kind, text in manifest["notes"]]
    unfinished = len(pairs.cases) - len(results)
    if unfinished:
        gaps.append(f"unfinished: {unfinished} of {len(pairs.cases)} cases are not measured yet")
    noted = sum(bool(result.notes) for result in results.values())
    if noted:
        gaps.append(f"{noted} results are missing or not as expected; its own table lists them")
    return gaps


def _summarise(manifest: dict[str, Any], pairs: PairList, entries: Sequence[_Entry], notes: list[str]) -> Summary:
    means: dict[str, dict[str, Interval]] = {}
    changes: dict[str, dict[str, Change]] = {}
    for metric in METRICS:
        values = {e.title: collect(e.results, pairs, e.stage, metric.name) for e in entries}
        found = {title: mean for title, by_clip in values.items() if (mean := mean_of(by_clip)) is not None}
        if not found:
            continue
        means[metric.name] = found
        changed = {e.title: compare(values, e.title, entries[0].title) for e in entries[1:]}
        changes[metric.name] = {title: change for title, change in changed.items() if change and metric.better}
    made = {e.title: sum(result.made.get(e.stage, 0) for result in e.results.values()) for e in entries}
    stages = [entry.title for entry in entries]
    notes = [*notes, *(note for e in entries for note in find_infinite(e.results, pairs, e.stage, e.title))]
    sets: dict[str, dict[str, float]] = {}
    set_size = 0
    for e in entries:
        found_sets, size = compare_sets(e.results, pairs, [e.stage])
        set_size = max(set_size, size)
        for name, by_stage in found_sets.items():
            if e.stage in by_stage:
                sets.setdefault(name, {})[e.title] = by_stage[e.stage]
    motions = {e.title: collect_motions(e.results, pairs, e.stage) for e in entries}
    following = measure_following(motions, dict.fromkeys(stages[1:], stages[0]))
    counts = (len(pairs.cases), pairs.num_frames, made)
    return Summary(manifest, stages, *counts, means, changes, sets, set_size, notes, following)
