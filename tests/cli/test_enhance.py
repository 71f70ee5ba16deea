import json
import re
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from fadm.animation.files import LABEL
from fadm.media.image import read_image
from fadm.media.reader import open_frames
from tests.cli.command import error_line, run_fadm
from tests.clips import BLANK, GRACE_HOPPER, carphone_frames, inspect_video, write_clip
from tests.media.samples import ASTRONAUT
from tests.tiny_networks import BY_DECA, BY_LANDMARKS, tiny_networks

RENDERED = ("--renderer", BY_LANDMARKS, "--steps", 2, "--quiet")


@pytest.fixture(scope="module", autouse=True)
def _networks(tmp_path_factory):
    with tiny_networks(tmp_path_factory.mktemp("home")):
        yield


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A face, its absence, the face again."""
    frames = [carphone_frames()[0], BLANK, carphone_frames()[1]]
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", frames)


def enhance(clip, folder, *options) -> list[np.ndarray]:
    """The frames (H, W, 3), as PNGs keep them."""
    assert run_fadm("enhance", clip, "-o", f"{folder}/", *(options or RENDERED)) == 0
    return [read_image(path) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize(
    ("video", "output", "options"),
    [
        ("a.mp4", "b.mp4", {"audio": "aac"}),
        ("a.mkv", "b.mkv", {"rate": Fraction(24000, 1001), "audio": "libopus"}),
        ("a.mov", "b.mov", {"time_base": Fraction(1, 1000), "pts": [0, 60, 190]}),
    ],
)
def test_times_rate_size_and_sound_are_the_videos(tmp_path, video, output, options):
    write_clip(tmp_path / video, carphone_frames()[:3], **options)
    assert run_fadm("enhance", tmp_path / video, "-o", tmp_path / output, *RENDERED) == 0
    given, made = inspect_video(tmp_path / video), inspect_video(tmp_path / output)
    assert made.times == given.times and len(made.times) == 3 and made.average_rate == given.average_rate
    assert made.sound == given.sound and bool(made.sound) == ("audio" in options)
    assert made.size == given.size == (192, 144) and made.label == LABEL


@pytest.mark.parametrize("renderer", [BY_LANDMARKS, BY_DECA])
@pytest.mark.parametrize("preset", ["paper", "released", "default"])
def test_only_the_face_is_rendered_again(tmp_path, clip, renderer, preset):
    options = ("--renderer", renderer, "--preset", preset, "--steps", 1, "--quiet")
    made = enhance(clip, tmp_path / "out", *options)
    given = [frame.pixels for frame in open_frames(clip)]
    assert len(made) == len(given) == 3 and all(m.shape == (144, 192, 3) for m in made)
    for index, (after, before) in enumerate(zip(made, given, strict=True)):
        rows, columns = np.nonzero((after != before).any(-1))
        if index == 1:  # no face
            assert not len(rows)
        else:
            assert len(rows) > 1000 and columns.min() > 20 and columns.max() < 180


def test_the_portrait_it_was_made_from_counts(tmp_path, clip):
    own, hers = (
        enhance(clip, tmp_path / name, *given, *RENDERED)
        for name, given in (("own", ()), ("hers", ("--source", ASTRONAUT)))
    )
    his = enhance(clip, tmp_path / "his", "--source", GRACE_HOPPER, *RENDERED)
    assert len(own) == len(hers) == len(his) == 3
    assert not np.array_equal(own[0], hers[0]) and not np.array_equal(hers[0], his[0])
    assert np.array_equal(own[1], hers[1])


def test_without_a_portrait_it_is_the_first_frame_with_a_face(tmp_path, clip):
    Image.fromarray(next(iter(open_frames(clip))).pixels).save(tmp_path / "first.png")
    late = [BLANK, *(frame.pixels for frame in open_frames(clip))][:2]
    (tmp_path / "late").mkdir()
    for index, pixels in enumerate(late):
        Image.fromarray(pixels).save(tmp_path / "late" / f"{index}.png")
    by_itself = enhance(tmp_path / "late", tmp_path / "a")
    with_source = enhance(tmp_path / "late", tmp_path / "b", "--source", tmp_path / "first.png", *RENDERED)
    assert np.array_equal(by_itself, with_source) and not np.array_equal(by_itself[1], late[1])


def test_the_same_command_gives_the_same_video_and_another_seed_another(tmp_path, clip):
    for name, seed in (("a.mp4", 1), ("b.mp4", 1), ("c.mp4", 2)):
        assert run_fadm("enhance", clip, "-o", tmp_path / name, "--seed", seed, *RENDERED) == 0
    first, again, other = ((tmp_path / name).read_bytes() for name in ("a.mp4", "b.mp4", "c.mp4"))
    assert first == again != other


def test_every_option_once(tmp_path, capsys):
    clip = write_clip(tmp_path / "a.mp4", carphone_frames(), audio="aac")
    options = f"--renderer {BY_LANDMARKS} --attributes landmarks --preset released --sampler ddim --steps 2 --eta 0.5"
    options += " --strength 0.6 --seed 3 --driving-face left --smoothing 0 --start 0.08 --end 0.2 --no-audio --no-label"
    options += f" --source {ASTRONAUT} --device cpu --json"
    assert run_fadm("enhance", clip, "-o", tmp_path / "b.mp4", *options.split()) == 0
    report, made = json.loads(capsys.readouterr().out.splitlines()[-1]), inspect_video(tmp_path / "b.mp4")
    assert report["frames"] == len(made.times) == 3 and report["frames_without_face"] == 0
    assert report["sound"] == "none" and made.sound == [] and made.label is None
    assert made.size == (report["width"], report["height"]) == (192, 144)


MISTAKES = {
    "--renderer none": "--renderer none leaves nothing to do: leave it out, or name weights .*fadm weights list",
    "--renderer none --steps 4": "--renderer none leaves nothing to do",
    "--steps 101": "101 sampling steps are asked for, but fadm_small has 100 timesteps",
    "--renderer fomm": "--renderer fomm: these weights are of kind fomm, fadm is needed",
    "--renderer by_lanmarks": "no weights are named 'by_lanmarks': did you mean 'by_landmarks'",
    f"--renderer {BY_LANDMARKS} --attributes deca": "was trained with attributes of landmarks",
    f"--renderer {BY_LANDMARKS} --source {{blank}}": "source '.*blank.png': no face found",
    f"--renderer {BY_LANDMARKS} --source nothing.png": "nothing.png' cannot be opened: No such file",
    f"--renderer {BY_LANDMARKS} --end 0.01 --start 0.02": "must come after the start",
    f"--renderer {BY_LANDMARKS} --start 0.04 --end 0.08": "no face found",
}


@pytest.mark.parametrize(("options", "message"), MISTAKES.items())
def test_a_mistake_is_one_line(tmp_path, capsys, clip, options, message):
    blank, folder = tmp_path / "blank.png", tmp_path / "out"
    Image.fromarray(BLANK).save(blank)
    folder.mkdir()
    given = options.format(blank=blank).split()
    assert run_fadm("enhance", clip, "-o", folder / "a.mp4", "--quiet", *given) == 2
    assert re.search(message, line := error_line(capsys)), line
    assert list(folder.iterdir()) == []
