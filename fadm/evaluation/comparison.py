"""Runs side by side on the same cases, with paired differences against the first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fadm.errors import OptionError
from fadm.evaluation.journal import CaseResult, read_run
from fadm.evaluation.measures import METRICS
from fadm.evaluation.outputs.tables import detail_table, paper_table, set_table, write_json, write_latex
from fadm.evaluation.pairs import PairList
from fadm.evaluation.published import published_table
from fadm.evaluation.statistics import Change, Summary, collect, compare, compare_sets, find_infinite, mean_of
from fadm.files import explain_failure, write_whole
from fadm.metrics.bootstrap import Interval

SAME = {  # what runs that compare must have in common, where they have it
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
    """Runs as the stages of one summary; the first is what the others are compared with."""

    summary: Summary
    with_published: bool

    @property
    def rows(self) -> list[tuple[str, dict[str, Interval]]]:
        """Means by metric, for each run."""
        means = self.summary.means
        return [(title, {n: by[title] for n, by in means.items() if title in by}) for title in self.summary.stages]

    def markdown(self) -> str:
        """The papers' table, every metric with its paired change, notes, and what was published."""
        summary = self.summary
        counts = ", ".join(f"{title} {made}" for title, made in summary.made.items())
        said = (
            f"{summary.num_cases} cases, {summary.num_frames} frames of {summary.told['protocol']}; pairs "
            f"{summary.told['pairs'][:12]}, data {summary.told['data'][:12]}. Frames made: {counts}. Changes are "
            f"against {summary.stages[0]}, on the frames that both have; in brackets 95 % intervals, clips drawn again."
        )
        lines = ["# Comparison", "", said, "", *paper_table(self.rows), "", *detail_table(summary)]
        if summary.sets:
            lines += ["", *set_table(summary)]
        if summary.notes:
            lines += ["", "To be known:", *(f"- {note}" for note in summary.notes)]
        if self.with_published:
            is_cross = summary.told["protocol"] == "cross-identity"
            lines += ["", *published_table(is_cross_identity=is_cross)]
        return "\n".join(lines) + "\n"

    def json(self) -> str:
        """The same as data."""
        return write_json(self.summary)

    def write(self, folder: Path) -> None:
        """Write the tables into a folder. Raises OutputError."""
        with explain_failure(folder):
            folder.mkdir(parents=True, exist_ok=True)
        for name, text in ((MARKDOWN, self.markdown()), (LATEX, write_latex(self.rows)), (JSON, self.json())):
            write_whole(folder / name, text.encode())


def compare_runs(folders: Sequence[Path], *, with_published: bool = False) -> Comparison:
    """Compare runs on the same pairs and data. Raises InputError for what is no run, OptionError for other ones.

    Of a model its rendered frames are compared, of an ablation all variants.
    """
    runs = [(folder, *read_run(folder)) for folder in folders]
    _, first, pairs, _ = runs[0]
    for key, remedy in SAME.items():
        known = [(told[key], folder) for folder, told, *_ in runs if key in told]
        other = next((folder for value, folder in known if value != known[0][0]), None)
        if other is not None:
            raise OptionError(
                f"'{other}' was measured on other {key} than '{known[0][1]}'; runs compare on the same ones, {remedy}"
            )
    entries = _title([(folder, told, results) for folder, told, _, results in runs])
    notes = [f"{folder.name}: {said}" for folder, told, _, results in runs for said in _find_gaps(told, pairs, results)]
    return Comparison(_summarise(first, pairs, entries, notes), with_published)


def _title(runs: Sequence[tuple[Path, dict[str, Any], dict[str, CaseResult]]]) -> list[_Entry]:
    """Methods by their names, told apart by stage and folder where these are needed."""
    found = []
    for folder, told, results in runs:
        stages = told["stages"][1:] or told["stages"]
        for stage in stages:
            title = str(told["method"]) + (f", {stage}" if len(stages) > 1 else "")
            found.append((title, folder.resolve().name, stage, results))
    titles = [title for title, *_ in found]
    entries = [
        _Entry(f"{title} ({name})" if titles.count(title) > 1 else title, stage, results)
        for title, name, stage, results in found
    ]
    if len({entry.title for entry in entries}) < len(entries):
        raise OptionError("two of the runs have the same method and the same name; rename a folder, or give it once")
    return entries


def _find_gaps(told: dict[str, Any], pairs: PairList, results: dict[str, CaseResult]) -> list[str]:
    """What keeps a run from being compared on everything."""
    said = [f"{kind}: {text}" for kind, text in told["notes"]]
    unfinished = len(pairs.cases) - len(results)
    if unfinished:
        said.append(f"unfinished: {unfinished} of {len(pairs.cases)} cases are not measured yet")
    noted = sum(bool(result.notes) for result in results.values())
    if noted:
        said.append(f"{noted} results are missing or not as expected; its own table says which")
    return said


def _summarise(told: dict[str, Any], pairs: PairList, entries: Sequence[_Entry], notes: list[str]) -> Summary:
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
    notes = [*notes, *(said for e in entries for said in find_infinite(e.results, pairs, e.stage, e.title))]
    sets: dict[str, dict[str, float]] = {}
    set_size = 0
    for e in entries:
        found_sets, size = compare_sets(e.results, pairs, [e.stage])
        set_size = max(set_size, size)
        for name, by_stage in found_sets.items():
            if e.stage in by_stage:
                sets.setdefault(name, {})[e.title] = by_stage[e.stage]
    return Summary(told, stages, len(pairs.cases), pairs.num_frames, made, means, changes, sets, set_size, notes)
