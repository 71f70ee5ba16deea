"""Every mistake is one line that says what was given and what to do; exit status 2, and no file is touched."""

import json
import re
import resource
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.command import error_line, run_fadm
from tests.clips import BLANK, carphone_frames, write_clip
from tests.media.samples import ASTRONAUT, mux_tone

OLD = "an older file"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder of inputs, good and bad."""
    folder = tmp_path_factory.mktemp("files")
    face = Image.open(ASTRONAUT).convert("RGB")
    face.save(folder / "face.png")
    write_clip(folder / "clip.mp4", carphone_frames()[:2])
    write_clip(folder / "sound.mkv", carphone_frames()[:2], audio="libopus")
    write_clip(folder / "blank.mp4", [BLANK] * 3)
    write_clip(folder / "late.mp4", [BLANK, *carphone_frames()[:2]])
    write_sound(folder / "sound.m4a")
    tiny = Image.new("RGB", (640, 480), (90, 120, 90))
    tiny.paste(face.crop((110, 0, 340, 230)).resize((40, 40)), (300, 200))
    tiny.save(folder / "tiny.png")
    both = Image.new("RGB", (1024, 512))
    both.paste(face, (0, 0))
    both.paste(face, (512, 0))
    both.save(folder / "two.png")
    Image.new("RGB", (200, 200), "blue").save(folder / "blue.png")
    Image.new("1", (10_000, 10_000)).save(folder / "bomb.png")
    for name, content in {"zero.png": b"", "zero.mp4": b"", "text.mp4": b"no video\n" * 50, "text.png": b"no"}.items():
        (folder / name).write_bytes(content)
    for name in ("face.png", "clip.mp4"):
        content = (folder / name).read_bytes()
        (folder / f"half_{name}").write_bytes(content[: len(content) // 2])
    (folder / "empty").mkdir()
    (folder / "mixed").mkdir()
    for index, size in enumerate([(64, 64), (64, 48)]):
        Image.new("RGB", size).save(folder / "mixed" / f"{index}.png")
    assert run_fadm("motion", "extract", folder / "clip.mp4", "-o", folder / "motion.json", "--quiet") == 0
    write_broken_motions(folder)
    return folder


def write_sound(path: Path) -> None:
    import av

    with av.open(str(path), "w") as output:
        mux_tone(output, output.add_stream("aac", rate=48000, layout="mono"), 4800)


def write_broken_motions(folder: Path) -> None:
    good = json.loads((folder / "motion.json").read_text())
    broken = {
        "nan": good | {"expression": np.full_like(good["expression"], np.nan).tolist()},
        "ragged": good | {"pose": good["pose"][:1]},
        "version": good | {"format": "fadm motion 99"},
        "backwards": good | {"pts": good["pts"][::-1]},
        "faceless": good | {"is_tracked": [False] * 2},
        "missing": {name: value for name, value in good.items() if name != "camera"},
        "list": [1, 2],
    }
    for name, content in broken.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / "half.json").write_text((folder / "motion.json").read_text()[:500])


NO_FACE = "no face found; a face must be seen from the front, at least 24 pixels"
SOURCES = {
    "blue.png": f"source '.*blue.png': {NO_FACE}",
    "tiny.png": "face is .* pixels high, at least 24 are needed; give a larger picture",
    "zero.png": "is not a picture; give a PNG",
    "text.png": "is not a picture; give a PNG",
    "clip.mp4": "is not a picture; give a PNG",
    "half_face.png": "is damaged .*; save the picture again",
    "bomb.png": r"more than the 67108864 \(8192x8192\) allowed; make it smaller",
    "nothing.png": "cannot be opened: No such file or directory; check the picture's name",
    "empty": "cannot be opened: Is a directory",
    "face.png/x.png": "cannot be opened: Not a directory",
}
DRIVERS = {
    "blank.mp4": rf"driver '.*blank.mp4' \(3 frames\): {NO_FACE}",
    "blue.png": NO_FACE,
    "sound.m4a": "holds no video stream; give a video",
    "zero.mp4": r"is empty \(0 bytes\)",
    "text.mp4": "cannot be read as a video .*; give a video",
    "half_clip.mp4": "cannot be read as a video .* cut off, or damaged; give a video",
    "bomb.png": r"more than the 67108864 \(8192x8192\) allowed",
    "nothing.mp4": "cannot be read: No such file or directory; check its name",
    "clip.mp4/x.mp4": "cannot be read: Not a directory",
    "/proc/self/mem": "cannot be read: Input/output error",
    "/dev/null": "is neither a file nor a folder; give a video",
    "empty": "holds no picture; give one with PNG, JPEG or WebP",
    "mixed": "1.png' is 64x48, but the first picture of its folder is 64x64; give pictures of one size",
    "nan.json": "expression holds values that are not finite",
    "ragged.json": "pose has not the shape for 2 frames",
    "version.json": "is no motion file of this version; make one with fadm motion extract",
    "backwards.json": "times must grow",
    "faceless.json": "no face",
    "missing.json": "a value is missing or malformed",
    "list.json": "is no motion file of this version",
    "half.json": "is no motion file .*; make one with fadm motion extract",
    "nothing.json": "cannot be read: No such file or directory",
}
OUTPUTS = {
    "nowhere/out.mp4": "the folder '.*nowhere' does not exist; create it first",
    "/proc/out.mp4": "nothing can be created in '/proc' .*; choose another folder",
    "out.txt": r"ends in .txt, which is not known; end the name in .mp4, .*, or in / for a folder",
    "old.mp4/": "is a file, but a name without ending is a folder",
    ".": "is not empty; empty it or choose another name",
    "folder.mp4": "is a folder; choose another name, or end it in /",
    "out.png": "a .png file holds one frame and there are more; choose a video's name",
}
OPTIONS = {
    "--size abc": "--size 'abc': give a whole number",
    "--size 10": "--size 10: give a number from 64 to 2048",
    "--smoothing nan": "--smoothing nan: give a number from 0 to 30",
    "--mouth-gain 9": "--mouth-gain 9: give a number from 0 to 3",
    "--eyes-gain much": "--eyes-gain 'much': give a number",
    "--start -1": "the start is -1 s; it must be 0 or later",
    "--start nan": "the start is nan s; give a number of seconds",
    "--end inf": "the end is inf s; give a number of seconds",
    "--start 2 --end 1": r"the end \(1 s\) must come after the start \(2 s\)",
    "--start 7": "from 7 s on .* the range lies within it",
    "--rate fast": "--rate 'fast': give a number such as 25, 29.97 or 30000/1001",
    "--rate 1/0": "--rate '1/0': give a number",
    "--rate 25": "has its own frame rate",
    "--anchor last": "--anchor last: give auto, first, or the number of a frame from 0",
    "--anchor 99": "--anchor 99: no face in that frame; frames are 0 to 1",
    "--gap jump": "--gap jump: give hold, interpolate, source or stop",
    "--face 2": "face 2 asked for, 1 found: 1: .* pixels at x ",
    "--driving-face 3": "face 3 asked for, 1 found",
    "--driving-face biggest": "face 'biggest': give largest, left, only, or a number counted from the left",
    "--device abacus": "device 'abacus' is not available; this machine has: auto, cpu",
    "--quick": "No such option: --quick",
}
ANIMATE = "animate {files}/face.png {files}/clip.mp4 -o old.mp4 --quiet"
CASES = [
    *((f"animate {{files}}/{name} {{files}}/clip.mp4 -o old.mp4 --quiet", m) for name, m in SOURCES.items()),
    *((f"animate {{files}}/face.png {name if name[0] == '/' else '{files}/' + name} -o old.mp4 --quiet", m)
      for name, m in DRIVERS.items()),
    *((f"animate {{files}}/face.png {{files}}/clip.mp4 -o {name} --quiet", m) for name, m in OUTPUTS.items()),
    *((f"{ANIMATE} {option}", m) for option, m in OPTIONS.items()),
    ("animate {files}/two.png {files}/clip.mp4 -o old.mp4 --face only --quiet", "2 faces, choose one .*1: .*; 2: "),
    ("animate {files}/face.png {files}/late.mp4 -o old.mp4 --gap stop --quiet", "no face .* first frame; choose"),
    (
        "animate {files}/face.png {files}/sound.mkv -o out.mov --audio-track 2 --quiet",
        "--audio-track 2: .*sound.mkv' has 1 audio track; give 1",
    ),
    ("animate {files}/face.png {files}/motion.json -o old.mp4 --start 7 --quiet", "no frame from 7 s on"),
    ("animate {files}/face.png {files}/motion.json -o old.mp4 --start nan --quiet", "the start is nan s"),
    ("edit {files}/face.png -o old.mp4", "an edited portrait is a picture; end the name in .png"),
    ("edit {files}/face.png -o nowhere/a.png", "does not exist; create it first"),
    ("edit {files}/face.png -o a.png --smile 3", "--smile 3: give a number from -2 to 2"),
    ("edit {files}/face.png -o a.png --yaw left", "--yaw 'left': give a number"),
    ("edit {files}/blue.png -o a.png", NO_FACE),
    *((f"{command} --commercial", "--commercial refuses fadm_small, whose terms are: research and non-commercial use")
      for command in (ANIMATE, "enhance {files}/clip.mp4 -o old.mp4 --quiet", "edit {files}/face.png -o a.png")),
    ("motion extract {files}/clip.mp4 -o old.mp4 --quiet", "a motion file's name ends in .json, .npz or .csv"),
    ("motion extract {files}/clip.mp4 -o nowhere/a.json --quiet", "does not exist; create it first"),
    ("motion extract {files}/blank.mp4 -o a.json --quiet", NO_FACE),
    ("learn-face-model {files}/nothing.tar -o a.safetensors", "nothing.tar.* holds no shard; give .tar files"),
    ("learn-face-model {files}/text.mp4 -o a.safetensors --tier both", "--tier both: give open or all"),
]  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in a folder that holds an older result."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.mp4").write_text(OLD)
    (tmp_path / "folder.mp4").mkdir()
    return tmp_path


def check_untouched(folder: Path) -> None:
    assert sorted(path.name for path in folder.rglob("*")) == ["folder.mp4", "old.mp4"]
    assert (folder / "old.mp4").read_text() == OLD


@pytest.mark.parametrize(("command", "message"), CASES, ids=[command.replace("{files}/", "") for command, _ in CASES])
def test_a_mistake_is_one_line(files, here, capsys, command, message):
    assert run_fadm(*shlex.split(command.format(files=files))) == 2
    line = error_line(capsys)
    assert re.search(message, line), line
    check_untouched(here)


@pytest.mark.parametrize(
    "command",
    [
        "animate {files}/face.png {files}/clip.mp4 -o old.mp4 --quiet",
        "animate {files}/face.png {files}/clip.mp4 -o pictures/ --quiet",
        "animate {files}/face.png {files}/clip.mp4 -o a.gif --quiet",
        "edit {files}/face.png -o a.png",
        "motion extract {files}/clip.mp4 -o a.json --quiet",
    ],
)
def test_a_full_disk(files, here, capsys, command):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))  # bytes a file may have
    try:
        status = run_fadm(*shlex.split(command.format(files=files)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 2 and re.search("disk full: '.*' is not written .*; make space", error_line(capsys))
    check_untouched(here)
