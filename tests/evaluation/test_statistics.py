import csv
import io
import json

import numpy as np
import pytest

from fadm.evaluation.journal import CaseResult
from fadm.evaluation.outputs.formats import show
from fadm.evaluation.outputs.records import write_case_csv, write_csv, write_json
from fadm.evaluation.outputs.tables import show_change, write_latex, write_markdown
from fadm.evaluation.pairs import Case, PairList
from fadm.evaluation.statistics import baseline_of, collect, summarise

PAIRS = PairList(
    "random-pairs",
    0,
    tuple(Case(f"{i:05d}", clip, 0, clip, (1,)) for i, clip in enumerate(("a", "a", "b", "b", "c"))),
)
MANIFEST = {
    "method": "ours",
    "protocol": "random-pairs",
    "stages": ["coarse", "rendered"],
    "groups": ["pixel", "landmarks"],
    "metrics": ["l1", "psnr", "akd", "missing_face"],
    "pairs": PAIRS.sha256,
    "data": "0" * 64,
    "notes": [],
    "not measured": {"lpips_alex": "no weights", "lpips_vgg": "no weights"},
}


def make_results(factor=0.5):
    """Rendered errors are `factor` times the coarse ones; the last case's coarse frame shows no face."""
    results = {}
    for i, case in enumerate(PAIRS.cases):
        error = 0.02 * (i + 1)
        akd = [np.nan if i == 4 else 1.0 + i]
        coarse = {"l1": [error], "psnr": [20.0], "akd": akd, "missing_face": [float(i == 4)]}
        rendered = {"l1": [factor * error], "psnr": [22.0], "akd": [factor * (1.0 + i)], "missing_face": [0.0]}
        values = {"coarse": coarse, "rendered": rendered}
        results[case.name] = CaseResult(case.name, values, {"coarse": 1, "rendered": 1})
    return results


def test_means_and_changes_are_those_of_the_numbers():
    summary = summarise(MANIFEST, PAIRS, make_results())
    assert summary.means["l1"]["coarse"].estimate == pytest.approx(0.06)
    assert summary.made == {"coarse": 5, "rendered": 5}
    change = summary.changes["l1"]["rendered"]
    assert change.percent is not None
    numbers = (change.percent.estimate, change.percent.low, change.percent.high)
    assert numbers == pytest.approx((-50, -50, -50)) and change.percent.num_groups == 3
    assert change.difference.estimate == pytest.approx(-0.03)
    assert change.difference.low < change.difference.estimate < change.difference.high
    assert summary.changes["psnr"]["rendered"].percent.estimate == pytest.approx(10)


def test_an_infinite_psnr_is_said_and_counts_in_no_mean():
    results = make_results()
    results[PAIRS.cases[0].name].values["coarse"]["psnr"] = [np.inf]
    summary = summarise(MANIFEST, PAIRS, results)
    assert summary.means["psnr"]["coarse"].estimate == 20 and summary.means["psnr"]["coarse"].num_values == 4
    assert summary.changes["psnr"]["rendered"].percent.estimate == pytest.approx(10)
    assert "infinite and left out of these means of coarse: PSNR, dB: 1 frames" in " ".join(summary.notes)


def test_cases_have_their_means_and_notes():
    results = make_results()
    first = PAIRS.cases[0].name
    results[first].notes.append(("missing", "nothing there"))
    results[first].values["coarse"] |= {"l1": [0.1, np.nan, 0.3], "psnr": [np.inf, 20.0]}
    rows = list(csv.DictReader(io.StringIO(write_case_csv(PAIRS, results, MANIFEST["metrics"]))))
    assert len(rows) == 10 and rows[0]["case"] == first and rows[0]["stage"] == "coarse"
    assert (rows[0]["l1"], rows[0]["psnr"], rows[0]["frames made"]) == ("0.2", "20", "1")
    assert rows[0]["notes"] == "missing: nothing there" and rows[2]["notes"] == ""
    assert [row["akd"] for row in rows if row["stage"] == "coarse"][4] == ""


def test_a_face_that_one_stage_lacks_counts_in_neither_of_a_pair():
    summary = summarise(MANIFEST, PAIRS, make_results())
    assert summary.means["akd"]["coarse"].num_values == 4 and summary.means["akd"]["rendered"].num_values == 5
    assert summary.changes["akd"]["rendered"].percent.estimate == pytest.approx(-50)
    assert summary.means["missing_face"]["coarse"].estimate == 0.2


def test_the_order_of_measuring_does_not_matter():
    results = make_results()
    turned = dict(reversed(results.items()))
    for write in (write_json, write_markdown):
        assert write(summarise(MANIFEST, PAIRS, results)) == write(summarise(MANIFEST, PAIRS, turned))
    assert write_case_csv(PAIRS, results, MANIFEST["metrics"]) == write_case_csv(PAIRS, turned, MANIFEST["metrics"])
    assert write_csv(PAIRS, results, MANIFEST["metrics"]) == write_csv(PAIRS, turned, MANIFEST["metrics"])


def test_a_missing_result_is_nan_in_its_place():
    results = make_results()
    del results["00002"]
    values = collect(results, PAIRS, "coarse", "l1")
    np.testing.assert_allclose(values["b"], [np.nan, 0.08])
    assert [*values] == ["a", "b", "c"]


def test_what_is_switched_off_is_compared_with_the_whole():
    stages = ["coarse", "steps-2", "steps-2-without-motion"]
    assert [baseline_of(stage, stages) for stage in stages] == ["coarse", "coarse", "steps-2"]


def test_tables_say_what_was_found():
    summary = summarise(MANIFEST, PAIRS, make_results())
    text = write_markdown(summary)
    assert "| | L1 ↓ | PSNR, dB ↑ | AKD (MediaPipe), px ↓ | no face found, share ↓ |" in text
    assert "| coarse | 0.0600 | 20.00 | 2.500 | 0.2000 |" in text
    assert "| rendered | **0.0300** | **22.00** | **1.500** | **0.0000** |" in text
    assert "| -50.0 % [-50.0, -50.0] |" in text and "- lpips_alex, lpips_vgg are not measured: no weights" in text
    assert show_change(summary, "missing_face", "rendered") == "-0.2000 [-1.0000, 0.0000]"  # a draw may lack the face
    latex = write_latex([("a_b", {name: by["coarse"] for name, by in summary.means.items()})])
    assert r"{\scriptsize [" in latex and r"& {\scriptsize [20.00, 20.00]}" in latex
    assert write_latex([(r"$\a^{~}", {})]).count(r"\$\textbackslash{}a\textasciicircum{}\{\textasciitilde{}\}") == 1
    assert r"a\_b & 0.0600 & 20.00" in latex and r"L1 $\downarrow$" in latex
    assert json.loads(write_json(summary))["means"]["l1"]["coarse"]["estimate"] == pytest.approx(0.06)


def test_a_single_clip_has_no_interval():
    results = {case.name: result for case, result in zip(PAIRS.cases[:2], make_results().values(), strict=False)}
    text = write_markdown(summarise(MANIFEST, PAIRS, results))
    assert "1 driving clips" in text and "A single clip has none." in text
    assert "| L1 ↓ | 0.0300 | 0.0150 | -50.0 % |" in text


def test_a_change_from_nothing_is_a_difference():
    results = make_results()
    for result in results.values():
        result.values["coarse"]["missing_face"] = [0.0]
        result.values["rendered"]["missing_face"] = [1.0]
    summary = summarise(MANIFEST, PAIRS, results)
    assert show_change(summary, "missing_face", "rendered") == "+1.0000 [+1.0000, +1.0000]"
    assert show(-0.00001, 3, sign=True) == "0.000" and show(float("inf"), 2) == "inf"
