"""The whole way from a folder of videos to shards, disturbed and undisturbed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import webdataset

from fadm.data.prepare import pipeline as production
from fadm.data.prepare.options import PrepareOptions
from fadm.data.prepare.pipeline import prepare_videos
from fadm.data.shards import read_tracked_clips
from fadm.errors import OptionError, OutputError
from fadm.files import replace_file
from tests.clips import write_clip
from tests.data.raw_videos import make_raw_folder, moving_portrait, read_folder, run_here

OPTIONS = PrepareOptions(frames=4, size=64, longest=0.7, shortest=0.3)
FILES = ["clips-00000.tar", "contact_sheet.html", "summary.json"]
ROOT = Path(__file__).parents[3]

COMMAND = """
import sys
from pathlib import Path
from fadm.data.prepare.options import PrepareOptions
from fadm.data.prepare.pipeline import prepare_videos
if __name__ == "__main__":
    options = PrepareOptions(frames=4, size=64, longest=0.7, shortest=0.3)
    prepare_videos([Path(sys.argv[1])], Path(sys.argv[2]), options, int(sys.argv[3]))
"""


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    return make_raw_folder(tmp_path_factory.mktemp("raw") / "videos")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, raw) -> Path:
    """Shards made in one go, in this process."""
    output = tmp_path_factory.mktemp("shards") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(production, "run_jobs", run_here)
        prepare_videos([raw], output, OPTIONS)
    return output


@pytest.fixture
def stay_here(monkeypatch):
    """Prepare in this process, so that a test need not wait for others to start."""
    monkeypatch.setattr(production, "run_jobs", run_here)


def test_our_reader_and_webdataset_read_the_same(undisturbed):
    shard = undisturbed / "clips-00000.tar"
    clips = list(read_tracked_clips([shard]))
    samples = list(webdataset.WebDataset(str(shard), shardshuffle=False).decode("rgb8"))
    assert [c.key for c in clips] == [s["__key__"] for s in samples]
    assert [c.key for c in clips] == ["more-two__0000", "more-two__0001", "one__0000", "one__0001"]
    for clip, sample in zip(clips, samples, strict=True):
        assert len(clip.pictures) == len(clip.landmarks) == clip.info["frames"] == 4
        np.testing.assert_array_equal(clip.pictures[3].read(), sample["03.jpg"])
        np.testing.assert_array_equal(clip.landmarks, sample["landmarks.npy"].astype(np.float32))
        assert sample["attributes.npy"].shape == (4, 56) and sample["03.jpg"].shape == (64, 64, 3)
        assert sample["json"] == clip.info


def test_the_summary_says_what_was_kept_and_what_was_not(undisturbed):
    assert sorted(read_folder(undisturbed)) == FILES
    summary = json.loads((undisturbed / "summary.json").read_text())
    assert (summary["videos"], summary["clips"], summary["frames"], summary["identities"]) == (4, 4, 16, 2)
    assert summary["dropped"] == {"no face": 1} and list(summary["unreadable"]) == ["broken.mp4"]
    assert summary["options"]["size"] == 64 and summary["shards"] == ["clips-00000.tar"]
    sheet = (undisturbed / "contact_sheet.html").read_text()
    assert sheet.count("<img") == 4 and "no face" in sheet and "broken.mp4" in sheet


@pytest.mark.slow
def test_killed_with_kill_9_and_run_again_gives_the_same_bytes(tmp_path, raw, undisturbed):
    """Killed once the first video is done; the next run does the rest."""
    run_and_kill(raw, tmp_path / "out", lambda: any((tmp_path / "out" / "work").glob("*.tar")))
    assert not (tmp_path / "out" / "summary.json").exists()
    assert run(raw, tmp_path / "out").wait() == 0
    assert read_folder(tmp_path / "out") == read_folder(undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_twice_at_random_moments(tmp_path, raw, undisturbed, seed):
    moments = random.Random(seed)
    for _ in range(2):
        until = time.monotonic() + moments.uniform(0.5, 8)
        run_and_kill(raw, tmp_path / "out", lambda until=until: time.monotonic() > until, workers=2)
    assert run(raw, tmp_path / "out", workers=2).wait() == 0
    assert read_folder(tmp_path / "out") == read_folder(undisturbed)


def run(raw: Path, output: Path, workers: int = 1) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", COMMAND, raw, output, str(workers)], cwd=ROOT)


def run_and_kill(raw: Path, output: Path, is_moment, workers: int = 1) -> None:
    """Kill a run without warning at a moment, unless it ends before; its workers end by themselves."""
    process = run(raw, output, workers)
    while not is_moment() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_run_that_stops_between_any_two_files_is_resumed(tmp_path, raw, undisturbed, monkeypatch, stay_here):
    """Each try does one more step than the one before it, then fails."""
    steps, output = 0, tmp_path / "out"

    def stop_after(number, function):
        def step(*arguments, **keywords):
            nonlocal steps
            if steps >= number:
                raise KeyboardInterrupt
            steps += 1
            return function(*arguments, **keywords)

        return step

    originals = {name: getattr(production, name) for name in ("write_whole", "draw_contact_sheet", "ShardWriter")}
    here = production.run_jobs

    def jobs_until(number):
        def run_some(*arguments):
            for done in here(*arguments):
                yield done
                stop_after(number, lambda: None)()

        return run_some

    for number in range(9):
        steps = 0
        monkeypatch.setattr(production, "run_jobs", jobs_until(number))
        for name, function in originals.items():
            monkeypatch.setattr(production, name, stop_after(number, function))
        try:
            prepare_videos([raw], output, OPTIONS)
            break
        except KeyboardInterrupt:
            assert not (output / "summary.json").exists()
    assert number > 2 and read_folder(output) == read_folder(undisturbed)


def test_a_finished_folder_is_left_as_it_is(raw, undisturbed):
    before = {f: f.stat().st_mtime_ns for f in undisturbed.iterdir()}
    summary = prepare_videos([raw], undisturbed, OPTIONS)
    assert summary.clips == 4 and {f: f.stat().st_mtime_ns for f in undisturbed.iterdir()} == before


def test_what_a_killed_run_left_at_its_very_end_is_removed(tmp_path, raw, undisturbed):
    for name, content in read_folder(undisturbed).items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "rest.tar").write_bytes(b"")
    with replace_file(tmp_path / "x") as temporary:
        (tmp_path / temporary.name.replace(".part", "0.part")).write_bytes(b"half a shard")
        temporary.write_bytes(b"")
    (tmp_path / "x").unlink()
    prepare_videos([raw], tmp_path, OPTIONS)
    assert sorted(read_folder(tmp_path)) == FILES


def test_other_options_on_the_same_output_are_refused(raw, undisturbed, tmp_path, monkeypatch):
    with pytest.raises(OutputError, match="was begun with --frames 4 and not 5; give the same options"):
        prepare_videos([raw], undisturbed, replace(OPTIONS, frames=5))

    def stop(*arguments):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(production, "run_jobs", stop)
    with pytest.raises(KeyboardInterrupt):
        prepare_videos([raw], tmp_path / "out", OPTIONS)
    with pytest.raises(OutputError, match="was begun with --rate 25/2 and not 5"):
        prepare_videos([raw], tmp_path / "out", replace(OPTIONS, rate=5))


def test_other_videos_for_a_finished_output_are_refused(raw, undisturbed):
    with pytest.raises(OutputError, match="finished shards of other videos"):
        prepare_videos([raw / "one.mp4"], undisturbed, OPTIONS)


def test_videos_may_change_until_a_run_is_finished(tmp_path, stay_here, monkeypatch):
    (tmp_path / "raw").mkdir()
    for name in ("id1#a", "b"):
        write_clip(tmp_path / "raw" / f"{name}.mp4", moving_portrait()[:16])

    def stop(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(production, "draw_contact_sheet", stop)
        prepare_videos([tmp_path / "raw"], tmp_path / "out", OPTIONS)
    assert (tmp_path / "out" / "clips-00000.tar").exists()
    (tmp_path / "raw" / "b.mp4").unlink()
    (tmp_path / "raw" / "test").mkdir()
    (tmp_path / "raw" / "id1#a.mp4").rename(tmp_path / "raw" / "test" / "id1#a.mp4")
    summary = prepare_videos([tmp_path / "raw"], tmp_path / "out", OPTIONS)
    assert summary.videos == 1 and sorted(os.listdir(tmp_path / "out")) == [*FILES[1:], "test-00000.tar"]


def test_splits_get_shards_of_their_own(tmp_path, stay_here):
    for split, number in (("train", 1), ("test", 2)):
        (tmp_path / "raw" / split).mkdir(parents=True)
        write_clip(tmp_path / "raw" / split / f"id{number}#a#0.mp4", moving_portrait()[:16])
    summary = prepare_videos([tmp_path / "raw"], tmp_path / "out", OPTIONS)
    assert summary.shards == ["test-00000.tar", "train-00000.tar"] and summary.identities == 2
    (clip,) = read_tracked_clips([tmp_path / "out" / "train-00000.tar"])
    assert clip.info["identity"] == "id1" and clip.info["split"] == "train"


def test_an_output_with_other_files_is_refused(tmp_path, raw):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds other files \(mine.txt\); give a new or an empty folder"):
        prepare_videos([raw], tmp_path, OPTIONS)
    with pytest.raises(OutputError, match="is a file; give a folder"):
        prepare_videos([raw], tmp_path / "mine.txt", OPTIONS)
    (tmp_path / "summary.json").write_text("[]")
    with pytest.raises(OutputError, match=r"summary.json that is not of prepared shards"):
        prepare_videos([raw], tmp_path, OPTIONS)
    assert sorted(os.listdir(tmp_path)) == ["mine.txt", "summary.json"]


def test_at_least_one_process(tmp_path, raw):
    with pytest.raises(OptionError, match="--workers 0: give a number from 1"):
        prepare_videos([raw], tmp_path / "out", OPTIONS, 0)
