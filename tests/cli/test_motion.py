import json
from fractions import Fraction

import numpy as np
import pytest

from fadm.attributes.face_capture import FaceCapture, write_face_capture
from fadm.attributes.landmark_model import load_landmark_model
from fadm.blendshapes import BLENDSHAPES
from fadm.media.image import read_image
from tests.attributes.made_up import make_mapped_model
from tests.cli.command import error_line, run_fadm
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
    assert content["format"] == "fadm motion 2" and content["rate"] == "200/11"
    assert np.shape(content["expression"]) == (6, 50) and np.shape(content["pose"]) == (6, 6)
    assert (tmp_path / "a.json").stat().st_size < 10_000


def test_side_by_side_of_a_motion_file_shows_source_and_result(tmp_path, clip):
    assert run_fadm("motion", "extract", clip, "-o", tmp_path / "a.json", "--quiet") == 0
    output = tmp_path / "a.mp4"
    assert run_fadm("animate", ASTRONAUT, tmp_path / "a.json", "-o", output, "--side-by-side", *SMALL) == 0
    assert inspect_video(output).size == (128, 64)


@pytest.fixture
def mapped(monkeypatch):
    """As if the package's face model had a map of blendshapes, learned from made-up people."""
    model = make_mapped_model(load_landmark_model())
    monkeypatch.setattr("fadm.animation.animator.load_landmark_model", lambda: model)


def test_a_video_becomes_a_take_of_face_capture_and_drives(tmp_path, clip, mapped):
    take = tmp_path / "take.csv"
    assert run_fadm("motion", "extract", clip, "-o", take, "--quiet") == 0
    header, *lines = take.read_text().splitlines()
    assert header.startswith("Timecode,BlendShapeCount,EyeBlinkLeft,") and len(lines) == 6
    assert all(line.split(",")[1] == "61" for line in lines)
    assert run_fadm("animate", ASTRONAUT, take, "-o", tmp_path / "a.mp4", *SMALL) == 0
    assert [round(1000 * time) for time in inspect_video(tmp_path / "a.mp4").times] == PTS
    part = ("--start", 0.1, "--end", 0.24)
    assert run_fadm("animate", ASTRONAUT, take, "-o", tmp_path / "part.mp4", *part, *SMALL) == 0
    assert len(inspect_video(tmp_path / "part.mp4").times) == 2


def test_a_take_opens_the_mouth_of_a_portrait(tmp_path, mapped):
    take = FaceCapture(
        np.zeros((3, 52), np.float32),
        np.zeros((3, 3), np.float32),
        np.zeros((3, 6), np.float32),
        np.ones(3, bool),
        np.arange(3),
        Fraction(1, 30),
    )
    take.blendshapes[1:, BLENDSHAPES.index("jawOpen")] = 0.5, 1
    write_face_capture(take, tmp_path / "take.csv")
    options = ("--anchor", "first", "--renderer", "none", "--quiet")
    assert run_fadm("animate", ASTRONAUT, tmp_path / "take.csv", "-o", tmp_path / "frames", *options) == 0
    rest, half, wide = (read_image(tmp_path / "frames" / f"{index:06d}.png").astype(int) for index in range(3))
    mouth, eyes = np.s_[128:170, 200:260], np.s_[88:106, 190:262]
    assert np.abs(wide - rest)[mouth].mean() > np.abs(half - rest)[mouth].mean() > 2
    assert np.abs(wide - rest)[eyes].mean() < 0.3 * np.abs(wide - rest)[mouth].mean()


def test_a_bad_take_is_one_line(tmp_path, capsys, mapped):
    (tmp_path / "take.csv").write_text("name,value\na,1\n")
    assert run_fadm("animate", ASTRONAUT, tmp_path / "take.csv", "-o", tmp_path / "a.mp4", *SMALL) == 2
    assert "line 1: no column Timecode; give a take in the layout of Live Link Face" in error_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["take.csv"]
