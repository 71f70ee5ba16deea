import json
import os

import pytest

from fadm.cli import data as command
from fadm.data.prepare import pipeline as production
from fadm.data.prepare.options import PrepareOptions
from tests.cli.command import error_line, run_fadm
from tests.clips import write_clip
from tests.data.raw_videos import moving_portrait, run_here


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """A video of a face, and one that is none."""
    folder = tmp_path_factory.mktemp("raw")
    write_clip(folder / "face.mp4", moving_portrait()[:16])
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture
def stay_here(monkeypatch):
    monkeypatch.setattr(production, "run_jobs", run_here)


OPTIONS = ("--shortest", "0.3", "--frames", "4", "--size", "64")


def test_the_table_says_what_was_kept_and_what_was_not(tmp_path, capsys, raw, stay_here):
    assert run_fadm("data", "prepare", raw, "-o", tmp_path / "out", *OPTIONS) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "1 shard(s), summary.json, contact_sheet.html (it shows people)" in said
    assert "read 2 recordings" in said and "kept 1 clips with 4 frames of 1 identities" in said
    assert "unreadable 1 broken.mp4: " in said
    assert sorted(os.listdir(tmp_path / "out")) == ["clips-00000.tar", "contact_sheet.html", "summary.json"]


def test_json_lines(tmp_path, capsys, raw, stay_here):
    assert run_fadm("data", "prepare", raw, "-o", tmp_path / "out", *OPTIONS, "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"stage": "preparing", "done": 0, "total": 2}
    assert lines[-1]["clips"] == 1 and lines[-1]["shards"] == ["clips-00000.tar"]


def test_the_options_reach_their_place(monkeypatch, tmp_path, raw):
    seen = []

    def prepare(videos, output, options, num_workers, progress):
        seen.extend([videos, output, options, num_workers])
        return production.PreparationSummary()

    monkeypatch.setattr(production, "prepare_videos", prepare)
    options = ("--workers", "3", "--every", "2", "--rate", "5", "--layout", "voxceleb", "--identity-from", "folder")
    assert run_fadm("data", "prepare", raw, raw, "-o", tmp_path, *options, "--quiet") == 0
    expected = PrepareOptions(every=2, rate=5, layout="voxceleb", identity_from="folder")
    assert seen == [[raw, raw], tmp_path, expected, 3]
    seen.clear()
    assert run_fadm("data", "prepare", raw, "-o", tmp_path, "--quiet") == 0
    assert seen[2:] == [PrepareOptions(), command.count_cores()]


MISTAKES = [
    ("{empty} -o {out}", "'{empty}' holds nothing in the layout 'videos'; give files that end in .3gp, .avi"),
    ("{empty}/none.mp4 -o {out}", "'{empty}/none.mp4' does not exist; give videos or folders of videos"),
    ("{raw} -o {raw}", "'{raw}' holds other files (broken.mp4, face.mp4); give a new or an empty folder"),
    ("{raw} -o {out}/deep", "'{out}/deep' cannot be written: the folder '{out}' does not exist; create it first"),
    ("{raw} -o {out} --layout vox", "--layout vox: give auto, videos, voxceleb, celeba or frames"),
    ("{raw} -o {out} --identity-from me", "--identity-from me: give layout, file or folder"),
    ("{raw} -o {out} --tier free", "--tier free: give open or research"),
    ("{raw} -o {out} --size 16", "--size 16: give a number from 32 to 1024"),
    ("{raw} -o {out} --frames 1", "--frames 1: give a number from 2 to 1000"),
    ("{raw} -o {out} --rate 0", "--rate 0: give a number from 1 to 240"),
    ("{raw} -o {out} --rate x", "--rate 'x': give a number such as 25"),
    ("{raw} -o {out} --every 0", "--every 0: give a number from 1 to 1000"),
    ("{raw} -o {out} --shortest 30", "--longest 20: give at least --shortest, 30 seconds"),
    ("{raw} -o {out} --lost 2", "--lost 2: give a number from 0 to 1"),
    ("{raw} -o {out} --faces some", "--faces some: give auto, all or largest"),
    ("{raw} -o {out} --crop half", "--crop half: give auto, face or whole"),
    ("{raw} -o {out} --quality 101", "--quality 101: give a number from 50 to 100"),
    ("{raw} -o {out} --workers 0", "--workers 0: give a number from 1"),
]


@pytest.mark.parametrize(("line", "said"), MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_made(tmp_path, capsys, raw, line, said):
    names = {"raw": raw, "empty": tmp_path / "empty", "out": tmp_path / "out"}
    names["empty"].mkdir()
    assert run_fadm("data", "prepare", *line.format(**names).split()) == 2
    assert error_line(capsys).startswith(said.format(**names))
    assert not names["out"].exists() and sorted(os.listdir(raw)) == ["broken.mp4", "face.mp4"]


def test_another_run_with_other_options_is_refused(tmp_path, capsys, raw, stay_here):
    assert run_fadm("data", "prepare", raw, "-o", tmp_path / "out", *OPTIONS, "--quiet") == 0
    assert run_fadm("data", "prepare", raw, "-o", tmp_path / "out", *OPTIONS, "--quiet", "--quality", "80") == 2
    assert "was begun with --quality 95 and not 80; give the same options" in error_line(capsys)
    assert run_fadm("data", "prepare", raw, "-o", tmp_path / "out", *OPTIONS, "--quiet") == 0
