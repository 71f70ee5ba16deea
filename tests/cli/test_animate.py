import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fadm.animation.animator import Animator
from fadm.animation.files import LABEL
from fadm.face.tracker import FaceTracker
from fadm.media.image import read_image
from tests.cli.command import run_fadm
from tests.clips import BLANK, GRACE_HOPPER, carphone_frames, inspect_video, portrait, write_clip
from tests.media.samples import ASTRONAUT

SMALL = ("--crop", "--size", 64)


def last_report(capsys) -> dict:
    """The summary that --json ends with."""
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize(
    ("driver", "output", "options"),
    [
        ("a.mp4", "b.mp4", {"audio": "aac"}),
        ("a.mp4", "b.mkv", {"rate": Fraction(24000, 1001), "audio": "aac"}),
        ("a.mp4", "b.mov", {"time_base": Fraction(1, 1000), "pts": [0, 60, 100, 190, 240, 300], "audio": "aac"}),
        ("a.mkv", "b.mp4", {"audio": "libopus"}),
        ("a.mov", "b.mov", {"rate": Fraction(30000, 1001), "audio": "pcm_s16le"}),
        ("a.webm", "b.webm", {"codec": "libvpx-vp9", "audio": "libopus"}),
        ("a.avi", "b.mp4", {}),
    ],
)
def test_times_rate_and_sound_are_the_drivers(tmp_path, driver, output, options):
    write_clip(tmp_path / driver, carphone_frames()[:6], **options)
    assert run_fadm("animate", ASTRONAUT, tmp_path / driver, "-o", tmp_path / output, "--quiet", *SMALL) == 0
    given, made = inspect_video(tmp_path / driver), inspect_video(tmp_path / output)
    rate = options.get("rate", Fraction(25))
    times = [Fraction(pts, 1000) for pts in options["pts"]] if "pts" in options else [i / rate for i in range(6)]
    tolerance = Fraction(1, 1000) if output.endswith((".mkv", ".webm")) else 0
    assert len(made.times) == 6 and all(abs(a - b) <= tolerance for a, b in zip(made.times, times, strict=True))
    assert made.average_rate == (given.average_rate if "pts" in options else rate)
    assert made.sound == given.sound and bool(made.sound) == ("audio" in options)
    assert made.size == (64, 64) and made.colours == (1, 1, 1, 1) and made.label == LABEL


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("turned.mp4", {"turned": 90}),
        ("ten_bits.mp4", {"codec": "libx265", "pixel_format": "yuv420p10le"}),
        ("odd.mkv", {"codec": "ffv1", "pixel_format": "bgr0"}),
        ("one.mp4", {}),
        ("a.gif", None),
        ("a.webp", None),
        ("folder", None),
        ("a.png", None),
    ],
)
def test_drivers_of_all_kinds(tmp_path, capsys, name, options):
    frames, path = carphone_frames()[:4], tmp_path / name
    if name == "folder":
        path.mkdir()
        for index, pixels in enumerate(frames):
            Image.fromarray(pixels).save(path / f"{index}.png")
    elif options is None:
        first, *rest = map(Image.fromarray, frames[:1] if name == "a.png" else frames)
        first.save(path, save_all=True, append_images=rest, duration=[40, 50, 60, 70][: 1 + len(rest)])
    else:
        shown = {"turned.mp4": [np.rot90(f, -1) for f in frames], "odd.mkv": [f[1:, 1:] for f in frames]}
        write_clip(path, shown.get(name, frames[:1] if name == "one.mp4" else frames), **options)
    assert run_fadm("animate", ASTRONAUT, path, "-o", tmp_path / "out.mp4", "--json", *SMALL) == 0
    report = last_report(capsys)
    assert report["frames"] == (1 if name in ("one.mp4", "a.png") else 4)
    assert report["frames_without_face"] == report["tracker_failures"] == report["damaged_frames"] == 0


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("still") / "still.mp4", carphone_frames()[:1])


@pytest.mark.parametrize("name", ["16bit.png", "grey.png", "alpha.png", "cmyk.jpg", "turned.jpg"])
def test_sources_of_all_kinds_look_the_same(tmp_path, still, name):
    plain = Image.open(ASTRONAUT).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    variant, options = {
        "16bit.png": lambda: (Image.fromarray(np.asarray(plain.convert("L")).astype(np.uint16) * 257), {}),
        "grey.png": lambda: (plain.convert("L"), {}),
        "alpha.png": lambda: (plain.convert("RGBA"), {}),
        "cmyk.jpg": lambda: (plain.convert("CMYK"), {"quality": 95}),
        "turned.jpg": lambda: (plain.rotate(90, expand=True), {"quality": 95, "exif": exif}),
    }[name]()
    variant.save(tmp_path / name, **options)
    if name in ("16bit.png", "grey.png"):
        plain = plain.convert("L")
    plain.save(tmp_path / "plain.png")
    results = []
    for source in (tmp_path / name, tmp_path / "plain.png"):
        assert run_fadm("animate", source, still, "-o", tmp_path / "out.png", "--quiet") == 0
        results.append(read_image(tmp_path / "out.png").astype(int))
    assert results[0].shape == (512, 512, 3) and np.abs(results[0] - results[1]).mean() < 3


def test_a_small_face_is_pasted_back_into_a_large_picture(tmp_path, still):
    large = Image.new("RGB", (1600, 1200), (90, 120, 90))
    large.paste(Image.open(ASTRONAUT).resize((256, 256)), (900, 500))
    large.save(tmp_path / "large.png")
    assert run_fadm("animate", tmp_path / "large.png", still, "-o", tmp_path / "out.png", "--quiet") == 0
    source, result = np.asarray(large).astype(int), read_image(tmp_path / "out.png").astype(int)
    rows, columns = np.nonzero(np.abs(result - source).max(-1))
    assert len(rows) and rows.min() >= 490 and rows.max() < 650 and columns.min() >= 930 and columns.max() < 1090


@pytest.mark.parametrize("ending", [".gif", ".png", ".jpg", ".webp", "/"])
def test_other_outputs(tmp_path, still, ending):
    output = f"{tmp_path}/out{ending}"
    assert run_fadm("animate", ASTRONAUT, still, "-o", output, "--quiet", *SMALL) == 0
    path = Path(f"{output}000000.png" if ending == "/" else output)
    assert Image.open(path).size == (64, 64) and LABEL.encode() in path.read_bytes()


def test_every_option_once(tmp_path, capsys):
    clip = write_clip(tmp_path / "a.mp4", carphone_frames(), audio="aac")
    options = "--rotation-gain 0.5 --translation-gain 0 --mouth-gain 2 --eyes-gain 1.5 --brows-gain 0 --gaze-gain 0"
    options += " --face 1 --driving-face left --smoothing 0 --start 0.08 --end 0.28 --relative --anchor first"
    options += " --gap stop --side-by-side --no-audio --no-label --seed 3 --crop --size 64 --device cpu --json"
    assert run_fadm("animate", ASTRONAUT, clip, "-o", tmp_path / "b.mp4", *options.split()) == 0
    report, made = last_report(capsys), inspect_video(tmp_path / "b.mp4")
    assert report["frames"] == len(made.times) == 5 and report["sound"] == "none" and made.sound == []
    assert made.size == (report["width"], report["height"]) == (64 + 86 + 64, 64) and made.label is None


def test_without_gains_the_source_stays_as_it_is(tmp_path, still):
    gains = [f"--{part}-gain=0" for part in ("rotation", "translation", "mouth", "eyes", "brows", "gaze")]
    options = ("--relative", "--renderer", "none", *gains)  # what the warp does by itself
    assert run_fadm("animate", ASTRONAUT, still, "-o", tmp_path / "a.png", "--quiet", *options) == 0
    assert np.abs(read_image(tmp_path / "a.png").astype(int) - read_image(ASTRONAUT)).max() <= 1


def test_a_picture_drives_by_its_own_pose(tmp_path):
    results = {}
    for way in ("", "--absolute", "--relative"):
        path = tmp_path / f"a{way}.png"
        assert run_fadm("animate", ASTRONAUT, GRACE_HOPPER, "-o", path, "--quiet", *SMALL, *way.split()) == 0
        results[way] = read_image(path).astype(int)
    assert np.array_equal(results[""], results["--absolute"])
    assert np.abs(results["--absolute"] - results["--relative"]).mean() > 1


def test_the_same_command_gives_the_same_video(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", carphone_frames()[:3])
    for name in ("b.mp4", "c.mp4"):
        assert run_fadm("animate", ASTRONAUT, clip, "-o", tmp_path / name, "--quiet", *SMALL) == 0
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "c.mp4").read_bytes()


def test_quiet_says_nothing_and_json_only_json(tmp_path, capsys, still):
    command = ("animate", ASTRONAUT, still, "-o", tmp_path / "a.mp4", *SMALL)
    capsys.readouterr()
    assert run_fadm(*command, "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    assert run_fadm(*command, "--json") == 0
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert err == "" and [line.get("stage") for line in lines] == ["tracking"] * 2 + ["rendering"] * 2 + [None]
    assert all(line["total"] == 1 for line in lines[:-1]) and lines[-1]["output"] == str(tmp_path / "a.mp4")
    assert run_fadm(*command) == 0
    assert "1 frames of 64x64 at 25.000 frames/s" in capsys.readouterr().err


@pytest.mark.parametrize(("policy", "frames"), [("hold", 8), ("interpolate", 8), ("source", 8), ("stop", 3)])
def test_a_gap_without_a_face(tmp_path, capsys, policy, frames):
    clip = write_clip(tmp_path / "a.mp4", [*carphone_frames()[:3], BLANK, BLANK, *carphone_frames()[5:8]])
    assert run_fadm("animate", ASTRONAUT, clip, "-o", tmp_path / "b.mp4", "--gap", policy, *SMALL) == 0
    assert f"{frames} frames" in (said := capsys.readouterr().err) and "2 without a face" in said
    assert inspect_video(tmp_path / "b.mp4").times == [Fraction(i, 25) for i in range(frames)]


def test_a_cut_begins_a_new_shot(tmp_path, capsys):
    clip = write_clip(tmp_path / "a.mp4", [*carphone_frames()[:3], *[portrait()] * 3])
    assert run_fadm("animate", GRACE_HOPPER, clip, "-o", tmp_path / "b.mp4", "--json", *SMALL) == 0
    report = last_report(capsys)
    assert report["shots"] == 2 and report["frames"] == 6 and report["frames_without_face"] == 0


def test_one_of_two_people_is_followed(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", [np.concatenate([portrait(), f], 1) for f in carphone_frames()])
    changes = []
    for face in ("1", "2"):
        output = tmp_path / face
        assert run_fadm("animate", ASTRONAUT, clip, "-o", output, "--driving-face", face, "--quiet", *SMALL) == 0
        first, last = (read_image(output / f"{index:06d}.png").astype(int) for index in (0, 7))
        changes.append(np.abs(last - first).mean())
    assert changes[0] < 1 < 5 < changes[1]  # the first face is a still picture


def test_a_frame_on_which_the_tracker_crashes_is_a_gap(tmp_path, capsys, monkeypatch):
    clip = write_clip(tmp_path / "a.mp4", carphone_frames()[:5])
    calls, track = [], FaceTracker.track

    def crash_once(tracker, pixels):
        calls.append(pixels.shape)
        if calls.count(carphone_frames()[0].shape) == 3:
            raise RuntimeError("graph error")
        return track(tracker, pixels)

    monkeypatch.setattr(FaceTracker, "track", crash_once)
    assert run_fadm("animate", ASTRONAUT, clip, "-o", tmp_path / "b.mp4", *SMALL) == 0
    said = capsys.readouterr().err
    assert "5 frames" in said and "1 without a face, 1 on which the tracker failed" in said


def test_an_interrupt_leaves_everything_as_it_was(tmp_path, capsys, monkeypatch, still):
    def interrupted(*_):
        yield np.zeros((64, 64, 3), np.uint8)
        raise KeyboardInterrupt

    (tmp_path / "a.mp4").write_text("precious")
    monkeypatch.setattr(Animator, "render", interrupted)
    assert run_fadm("animate", ASTRONAUT, still, "-o", tmp_path / "a.mp4", "--quiet") == 130
    assert capsys.readouterr().err == "fadm: interrupted\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"] and (tmp_path / "a.mp4").read_text() == "precious"
