import json
from fractions import Fraction

import numpy as np
import pytest

from fadm.media.image import read_image
from tests.cli.command import run_fadm
from tests.clips import carphone_frames, inspect_video, write_clip
from tests.media.samples import ASTRONAUT

SMALL = ("--crop", "--size", 64, "--quiet")
PTS = [0, 60, 100, 190, 240, 300]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    return write_clip(path, carphone_frames()[:6], time_base=Fraction(1, 1000), pts=PTS, audio="aac")


@pytest.mark.parametrize("ending", ["json", pytest.param("npz", marks=pytest.mark.slow)])
def test_a_motion_file_drives_as_its_video_does(tmp_path, clip, ending):
    motion = tmp_path / f"motion.{ending}"
    assert run_fadm("motion", "extract", clip, "-o", motion, "--quiet") == 0
    for driver, output in ((clip, "video"), (motion, "motion")):
        assert run_fadm("animate", ASTRONAUT, driver, "-o", tmp_path / output, *SMALL) == 0
        assert run_fadm("animate", ASTRONAUT, driver, "-o", tmp_path / f"{output}.mp4", "--no-audio", *SMALL) == 0
    for index in range(6):
        name = f"{index:06d}.png"
        a, b = (read_image(tmp_path / way / name).astype(int) for way in ("video", "motion"))
        assert np.abs(a - b).max() <= 2  # the numbers in the file are rounded
    a, b = (inspect_video(tmp_path / f"{way}.mp4") for way in ("video", "motion"))
    assert a.times == b.times and a.average_rate == b.average_rate


def test_ranges_of_a_video_and_of_its_motion_agree(tmp_path, clip):
    part, whole = tmp_path / "part.json", tmp_path / "whole.json"
    assert run_fadm("motion", "extract", clip, "-o", part, "--start", 0.1, "--end", 0.24, "--quiet") == 0
    assert run_fadm("motion", "extract", clip, "-o", whole, "--quiet") == 0
    for driver, options in ((part, ()), (whole, ("--start", 0.1, "--end", 0.24))):
        assert run_fadm("animate", ASTRONAUT, driver, "-o", tmp_path / "a.mp4", *options, *SMALL) == 0
        assert [round(1000 * time) for time in inspect_video(tmp_path / "a.mp4").times] == [0, 90]


def test_the_file_holds_numbers_and_no_picture(tmp_path, capsys, clip):
    assert run_fadm("motion", "extract", clip, "-o", tmp_path / "a.json", "--json") == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert report == {"output": str(tmp_path / "a.json"), "frames": 6, "shots": 1}
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["format"] == "fadm motion 1" and content["rate"] == "200/11"
    assert np.shape(content["expression"]) == (6, 50) and np.shape(content["pose"]) == (6, 6)
    assert (tmp_path / "a.json").stat().st_size < 10_000


def test_side_by_side_of_a_motion_file_shows_source_and_result(tmp_path, clip):
    assert run_fadm("motion", "extract", clip, "-o", tmp_path / "a.json", "--quiet") == 0
    output = tmp_path / "a.mp4"
    assert run_fadm("animate", ASTRONAUT, tmp_path / "a.json", "-o", output, "--side-by-side", *SMALL) == 0
    assert inspect_video(output).size == (128, 64)
