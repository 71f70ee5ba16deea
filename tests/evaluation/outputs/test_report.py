import re
import sys

import pytest

from fadm.errors import PackageError
from tests.evaluation.synthetic_clips import run_on


def test_a_report_is_one_file_with_strips_and_plots(tmp_path, shard):
    run_on(shard, "geometric", tmp_path / "run", count=5, report=True)
    text = (tmp_path / "run" / "report.html").read_text()
    assert text.count("data:image/jpeg;base64,") == 9 and "<svg" in text
    for rank in ("Worst", "Median", "Best"):
        assert f"<h2>{rank} by L1</h2>" in text
    values = [float(value) for value in re.findall(r"<figcaption>\d{5}, frame \d: ([\d.]+)<", text)]
    assert values[:3] == sorted(values[:3], reverse=True) and values[6:] == sorted(values[6:])
    assert values[0] == max(values) and values[6] == min(values)
    assert "<th>metric</th><th>coarse</th>" in text and not re.search(r'(src|href)="(?!data:|#)', text)
    inside = set(re.findall(r'(?:href="|url\()#(\w+)', text))  # parts of plots that refer to one another
    assert inside and inside <= set(re.findall(r'id="(\w+)"', text))


def test_a_missing_matplotlib_is_found_before_anything_is_measured(tmp_path, shard, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(PackageError, match="a plot needs the package matplotlib"):
        run_on(shard, "unmoved", tmp_path / "run", report=True)
    assert not (tmp_path / "run").exists()


def test_videos_have_curves_over_their_frames(tmp_path, shard):
    run_on(shard, "geometric", tmp_path / "run", protocol="reconstruction", report=True)
    text = (tmp_path / "run" / "report.html").read_text()
    assert text.count(">frame of clip-a<") == text.count(">frame of clip-b<") == 3  # among worst, median and best
    first, _, second = text.partition(">frame of clip-a<")
    assert "<figcaption>clip-a, frame " in first and second


def test_missing_results_are_not_shown(tmp_path, shard):
    run_on(shard, "unmoved", tmp_path / "made", count=2, save_frames=True)
    folder = tmp_path / "made" / "frames" / "source"
    (folder / "00001.png").unlink()
    run_on(shard, str(folder), tmp_path / "run", count=2, report=True)
    text = (tmp_path / "run" / "report.html").read_text()
    assert "<figcaption>00000, frame" in text and "<figcaption>00001" not in text


def test_what_is_best_stands_out_and_notes_are_escaped(tmp_path, shard):
    run_on(shard, "unmoved", tmp_path / "made", count=2, save_frames=True)
    folder = tmp_path / "made" / "frames" / "source"
    (folder / "00001.png").rename(folder / "<b>&.png")
    run_on(shard, str(folder), tmp_path / "run", count=2, report=True)
    text = (tmp_path / "run" / "report.html").read_text()
    table = (tmp_path / "run" / "table.md").read_text()
    assert "<b>" in table and "<b>" not in text and "&lt;b&gt;&amp;" in text
