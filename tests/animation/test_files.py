import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fadm.animation.animator import Animator
from fadm.animation.files import Summary, animate_file, choose_alpha, edit_file, extract_file, is_transparent
from fadm.attributes.motion_files import is_motion_file, load_motion
from fadm.controls import FaceControls
from fadm.errors import FadmError, OptionError, OutputError
from fadm.media.crop import resize_pixels
from fadm.media.image import read_image, write_image
from fadm.media.reader import open_frames
from fadm.options import AnimateOptions, EditOptions, MotionOptions
from tests.clips import BLANK, carphone_frames, inspect_video, write_clip
from tests.media.samples import ASTRONAUT, add_track

OPTIONS = AnimateOptions(crop=True, size=64)


class Recorder:
    """Progress that is remembered."""

    def __init__(self) -> None:
        self.stages: list[list] = []

    def stage(self, name: str, total: int | None) -> None:
        self.stages.append([name, total, 0])

    def advance(self) -> None:
        self.stages[-1][2] += 1


@pytest.fixture(scope="module")
def animator():
    return Animator(device="cpu")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", carphone_frames()[:4], audio="aac")


@pytest.fixture(scope="module")
def broken_clip(tmp_path_factory):
    """A clip whose face is gone after three of eight frames."""
    frames = [*carphone_frames()[:3], *[BLANK] * 5]
    return write_clip(tmp_path_factory.mktemp("gap") / "a.mp4", frames, audio="aac")


def make_idle_animator() -> Animator:
    """An animator that fails a test in which it starts to work."""

    def make_tracker(*, is_video: bool):
        pytest.fail("the work began although it was in vain")

    return Animator(device="cpu", make_tracker=make_tracker)


def test_summary_tells_what_was_made(animator, clip, tmp_path):
    progress = Recorder()
    summary = animate_file(animator, ASTRONAUT, clip, tmp_path / "a.mp4", OPTIONS, progress)
    assert (summary.frames, summary.width, summary.height, summary.shots) == (4, 64, 64, 1)
    assert Fraction(summary.frames_per_second) == 25 and summary.sound == "aac, copied"
    assert progress.stages == [["tracking", 4, 4], ["rendering", 4, 4]]
    assert summary.sentence().startswith(f"{tmp_path}/a.mp4: 4 frames of 64x64 at 25.000 frames/s, sound aac, copied")
    assert json.loads(json.dumps(vars(summary)))["seconds"] > 0 and summary.renderer == "fadm_small"


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.webm", "a.gif", "pictures/"])
def test_summary_tells_the_size_of_the_file(animator, clip, tmp_path, name):
    """A video has even sides; a GIF and pictures have those of the source."""
    source = tmp_path / "odd.png"
    write_image(source, read_image(ASTRONAUT)[:161, 130:301])
    options = AnimateOptions(renderer="none")
    summary = animate_file(animator, source, clip, f"{tmp_path}/{name}", options)
    path = f"{tmp_path}/{name}" + ("000000.png" if name.endswith("/") else "")
    made = open_frames(path)
    assert (summary.width, summary.height) == (made.width, made.height)
    assert (summary.width, summary.height) == ((171, 161) if name in ("a.gif", "pictures/") else (170, 160))


def test_summary_tells_what_became_of_the_sound(animator, clip, tmp_path):
    summary = animate_file(animator, ASTRONAUT, clip, tmp_path / "a.webm", replace(OPTIONS, renderer="none"))
    assert summary.sound == "aac, encoded again as opus" and summary.sound in summary.sentence()
    assert inspect_video(tmp_path / "a.webm").sound


def test_another_audio_track_is_chosen_by_its_number(animator, tmp_path):
    clip = add_track(write_clip(tmp_path / "a.mkv", carphone_frames()[:2], audio="aac"), tmp_path / "b.mkv")
    for number, codec in ((None, "aac"), (2, "flac")):
        options = replace(OPTIONS, audio_track=number, renderer="none")
        summary = animate_file(animator, ASTRONAUT, clip, tmp_path / "c.mp4", options)
        assert summary.sound == f"{codec}, copied"
    for number, output in ((3, "c.mp4"), (3, "c.gif")):
        with pytest.raises(OptionError, match=r"--audio-track 3: .* has 2 audio tracks; give a number from 1 to 2"):
            animate_file(make_idle_animator(), ASTRONAUT, clip, tmp_path / output, replace(OPTIONS, audio_track=number))
    silent = write_clip(tmp_path / "silent.mp4", carphone_frames()[:2])
    with pytest.raises(OptionError, match="the driver has no sound"):
        animate_file(make_idle_animator(), ASTRONAUT, silent, tmp_path / "c.mp4", replace(OPTIONS, audio_track=1))


@pytest.fixture(scope="module")
def cut_out(tmp_path_factory):
    """A portrait whose background is clear; below its soft edge there is a strong colour, not white."""
    picture = read_image(ASTRONAUT)[:300, 80:380].copy()
    y, x = np.mgrid[:300, :300]
    alpha = np.clip((1 - np.hypot((x - 142) / 100, (y - 130) / 125)) * 900, 0, 255).astype(np.uint8)
    picture[alpha == 0] = (0, 0, 200)
    path = tmp_path_factory.mktemp("cut_out") / "a.png"
    Image.fromarray(np.dstack([picture, alpha])).save(path)
    return path


def over_white(pixels: np.ndarray) -> np.ndarray:
    share = pixels[..., 3:] / 255
    return pixels[..., :3] * share + 255 * (1 - share)


@pytest.mark.parametrize(
    "given",
    [
        {"size": 64, "renderer": "none"},
        pytest.param({"renderer": "none"}, marks=pytest.mark.slow),
        pytest.param({"crop": True, "size": 64}, marks=pytest.mark.slow),
        pytest.param({"size": 64}, marks=pytest.mark.slow),
    ],
)
def test_transparency_moves_with_the_face(animator, clip, cut_out, tmp_path, given):
    """Over white, the result is that of the same source over white."""
    options, flat = AnimateOptions(**given), tmp_path / "flat.png"
    write_image(flat, read_image(cut_out))
    summary = animate_file(animator, cut_out, clip, f"{tmp_path}/kept/", options)
    assert summary.transparency == "kept"
    assert animate_file(animator, flat, clip, f"{tmp_path}/flat/", options).transparency == "none"
    for name in ("000000.png", "000003.png"):
        kept, white = (np.asarray(Image.open(tmp_path / folder / name)) for folder in ("kept", "flat"))
        assert kept.shape[2] == 4 and white.shape[2] == 3
        assert (kept[..., 3] == 0).mean() > 0.05 and (kept[..., 3] == 255).mean() > 0.2
        difference = np.abs(over_white(kept) - white)
        assert difference.mean() < 0.5 and difference.max() <= 16  # what is rendered at the edge may be cut off
    edge = (kept[..., 3] > 60) & (kept[..., 3] < 250)  # nothing white is left at the edge, where the suit is dark
    assert np.abs(kept[edge][:, :3].astype(int) - 255).max(-1).mean() > 60


@pytest.mark.parametrize(
    ("output", "given", "said"),
    [
        ("a.mp4", {}, "drawn on white; .webm, .mov and a folder of PNGs keep it"),
        ("a.gif", {}, "drawn on white; .webm, .mov and a folder of PNGs keep it"),
        ("a.webm", {}, "kept"),
    ],
)
def test_summary_tells_what_became_of_transparency(animator, clip, cut_out, tmp_path, output, given, said):
    options = replace(OPTIONS, renderer="none", **given)
    summary = animate_file(animator, cut_out, clip, tmp_path / output, options)
    assert summary.transparency == said
    line = f"\nthe source's transparency is {said}"
    assert summary.sentence().endswith(line) == (said != "kept")


def test_transparency_of_a_networks_frames_is_said(cut_out):
    alpha, said = choose_alpha(cut_out, "a.webm", is_warped=False)
    assert alpha is None and said == "drawn on white; --coarse geometric keeps it"


def test_transparent_frames_to_enhance_are_known(clip, cut_out, tmp_path):
    (tmp_path / "0.png").write_bytes(cut_out.read_bytes())
    write_image(tmp_path / "1.jpg", read_image(cut_out))
    assert is_transparent(open_frames(tmp_path)) and is_transparent(open_frames(cut_out))
    assert not is_transparent(open_frames(tmp_path / "1.jpg")) and not is_transparent(open_frames(clip))


def test_side_by_side_of_a_cut_out_portrait(animator, clip, cut_out, tmp_path):
    options = replace(OPTIONS, side_by_side=True, renderer="none")
    animate_file(animator, cut_out, clip, f"{tmp_path}/out/", options)
    made = np.asarray(Image.open(tmp_path / "out" / "000000.png"))
    source, driver, result = np.split(made, [64, 64 + 86], axis=1)
    assert (driver[..., 3] == 255).all()
    assert all((part[..., 3] == 0).any() for part in (source, result))


def test_an_edited_portrait_keeps_its_transparency(animator, cut_out, tmp_path):
    assert edit_file(animator, cut_out, tmp_path / "a.png", FaceControls(smile=1), EditOptions()) == "kept"
    made, given = np.asarray(Image.open(tmp_path / "a.png")), np.asarray(Image.open(cut_out))
    assert np.abs(made[..., 3].astype(int) - given[..., 3]).mean() < 1
    said = edit_file(animator, cut_out, tmp_path / "a.jpg", FaceControls(smile=1), EditOptions())
    assert said == "drawn on white; .png and .webp keep it"


def test_summary_names_only_the_problems_that_there_were():
    fine = Summary("a.mp4", 4, 64, 48, "30000/1001", "none", 1, 0, 0, 0, 0, 1.0)
    assert replace(fine, renderer="small").sentence().endswith("sound none, rendered by small, made in 1.0 s")
    assert fine.sentence() == "a.mp4: 4 frames of 64x48 at 29.970 frames/s, sound none, made in 1.0 s"
    poor = replace(fine, frames_without_face=2, damaged_frames=1)
    assert poor.sentence().endswith("\ndriver's frames: 2 without a face, 1 damaged and left out")


@pytest.mark.parametrize(("output", "message"), [("nowhere/a.mp4", "create it first"), ("a.xyz", "is not known")])
def test_the_output_is_checked_before_any_work(tmp_path, clip, output, message):
    with pytest.raises(OutputError, match=message):
        animate_file(make_idle_animator(), ASTRONAUT, clip, tmp_path / output, OPTIONS)


def test_options_are_checked_before_any_work(tmp_path, clip):
    with pytest.raises(FadmError, match="name one with --renderer"):
        animate_file(
            make_idle_animator(), ASTRONAUT, clip, tmp_path / "a.mp4", replace(OPTIONS, renderer="none", steps=5)
        )


def test_one_picture_of_many_frames_is_refused_before_any_work(tmp_path, clip):
    with pytest.raises(OutputError, match="holds one frame"):
        animate_file(make_idle_animator(), ASTRONAUT, clip, tmp_path / "a.png", OPTIONS)


def test_a_motion_files_place_is_checked_before_any_work(tmp_path, clip):
    with pytest.raises(OutputError, match="create it first"):
        extract_file(make_idle_animator(), clip, tmp_path / "nowhere" / "a.json", MotionOptions())


@pytest.mark.parametrize("output", ["a.gif", "pictures/"])
def test_an_output_without_sound_says_so(animator, tmp_path, clip, output):
    assert animate_file(animator, ASTRONAUT, clip, f"{tmp_path}/{output}", OPTIONS).sound == "none"


def test_sound_ends_with_the_pictures(animator, tmp_path, broken_clip):
    output = tmp_path / "a.mp4"
    summary = animate_file(animator, ASTRONAUT, broken_clip, output, replace(OPTIONS, gap="stop"))
    packets = len(inspect_video(output).sound) * 1024 / 48000  # seconds of AAC
    assert summary.frames == 3 and packets == pytest.approx(3 / 25, abs=2 * 1024 / 48000)


def test_side_by_side_ends_with_the_pictures(animator, tmp_path, broken_clip):
    options = replace(OPTIONS, gap="stop", side_by_side=True)
    summary = animate_file(animator, ASTRONAUT, broken_clip, f"{tmp_path}/out", options)
    assert (summary.frames, summary.width) == (3, 64 + 86 + 64)
    _, driver, _ = np.split(read_image(tmp_path / "out" / "000002.png").astype(int), [64, 64 + 86], axis=1)
    assert np.abs(driver - resize_pixels(carphone_frames()[2], 86, 64)).mean() < 5


def test_extract_file_writes_what_it_returns(animator, tmp_path, clip):
    motion = extract_file(animator, clip, tmp_path / "a.npz", MotionOptions())
    read = load_motion(tmp_path / "a.npz")
    assert len(read) == len(motion) == 4 and read.rate == 25 and read.time_base == motion.time_base
    assert bool((read.attributes.expression == motion.attributes.expression).all())


@pytest.mark.parametrize(("first", "second"), [("a.json", "b.csv"), ("a.csv", "b.json"), ("a.npz", "b.json")])
def test_a_motion_file_is_written_in_another_format(animator, tmp_path, clip, first, second):
    extract_file(animator, clip, tmp_path / first, MotionOptions())
    idle = make_idle_animator()
    written = extract_file(idle, tmp_path / first, tmp_path / second, MotionOptions())
    read, known = (load_motion(tmp_path / name) for name in (second, first))
    assert len(read) == len(written) == 4 and read.rate == 25
    torch.testing.assert_close(read.blendshapes, known.blendshapes, atol=1e-4, rtol=0)
    extract_file(idle, tmp_path / first, tmp_path / second, MotionOptions(start=0.04, end=0.12))
    assert len(load_motion(tmp_path / second)) == 2


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"driving_face": "left"}, "driving-face"),
        ({"stills": True}, "stills"),
        ({"smoothing": 0.0}, "smoothing"),
        ({"rate": Fraction(30)}, "rate"),
    ],
)
def test_a_motion_file_is_not_tracked_again(tmp_path, options, flag):
    with pytest.raises(OptionError, match=f"--{flag} is for tracking; a motion file is tracked already"):
        extract_file(make_idle_animator(), tmp_path / "a.json", tmp_path / "b.csv", MotionOptions(**options))


def test_a_motion_file_is_not_written_over_itself(tmp_path):
    with pytest.raises(OutputError, match="would be lost"):
        extract_file(make_idle_animator(), tmp_path / "a.json", tmp_path / "a.json", MotionOptions())


def test_motion_files_are_known_by_their_ending():
    assert is_motion_file("a.json") and is_motion_file("A.NPZ") and not is_motion_file("a.mp4")


def test_an_input_is_never_overwritten(tmp_path, clip):
    before = clip.read_bytes()
    with pytest.raises(OutputError, match="would be lost"):
        animate_file(make_idle_animator(), ASTRONAUT, clip, clip, OPTIONS)
    assert clip.read_bytes() == before
    portrait = tmp_path / "portrait.png"
    portrait.write_bytes(Path(ASTRONAUT).read_bytes())
    with pytest.raises(OutputError, match="would be lost"):
        edit_file(make_idle_animator(), portrait, portrait, FaceControls(), EditOptions())
    with pytest.raises(OutputError, match="inside one"):
        animate_file(make_idle_animator(), ASTRONAUT, tmp_path, tmp_path / "portrait.png", OPTIONS)


def test_a_motion_file_of_many_frames_is_no_picture(animator, tmp_path, clip):
    extract_file(animator, clip, tmp_path / "a.json", MotionOptions())
    with pytest.raises(OutputError, match="holds one frame"):
        animate_file(make_idle_animator(), ASTRONAUT, tmp_path / "a.json", tmp_path / "a.png", OPTIONS)
    with pytest.raises(OptionError, match="--smoothing is for tracking"):
        animate_file(
            make_idle_animator(), ASTRONAUT, tmp_path / "a.json", tmp_path / "a.mp4", replace(OPTIONS, smoothing=3.0)
        )


def test_a_file_cut_short_is_said(animator, tmp_path):
    frames, cut = carphone_frames() * 2, tmp_path / "cut.mp4"
    whole = write_clip(tmp_path / "whole.mp4", frames, faststart=True, codec="mpeg4").read_bytes()
    cut.write_bytes(whole[: len(whole) * 17 // 20])
    summary = animate_file(animator, ASTRONAUT, cut, tmp_path / "a.mp4", OPTIONS)
    assert summary.frames + summary.damaged_frames + summary.missing_frames == len(frames)
    assert summary.missing_frames + summary.damaged_frames > 0
    assert "missing" in summary.sentence() or "damaged" in summary.sentence()
