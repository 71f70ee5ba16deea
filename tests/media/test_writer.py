import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import Colorspace
from PIL import Image

from fadm.errors import OutputError
from fadm.media.reader import open_frames
from fadm.media.writer import check_output, has_sound, keeps_alpha, open_writer
from tests.media.samples import ASTRONAUT, frame_number, make_video, pattern

NTSC = Fraction(30000, 1001)
ALL = ["a.mp4", "a.m4v", "a.mov", "a.mkv", "a.webm", "a.gif", "a.png", "a.jpg", "a.webp", "a", "a/"]


def write_frames(path, frames, *, rate=NTSC, time_base=None, pts=None, **options):
    height, width = frames[0].shape[:2]
    with open_writer(path, width=width, height=height, rate=rate, time_base=time_base or 1 / rate, **options) as writer:
        for index, pixels in enumerate(frames):
            writer.write(pixels, pts[index] if pts else index)


@pytest.mark.parametrize("name", ["a.mp4", "a.m4v", "a.mov"])
def test_times_and_rate_are_exact(tmp_path, name):
    write_frames(tmp_path / name, [pattern(i) for i in range(40)], label="synthetic")
    source = open_frames(tmp_path / name)
    frames = list(source)
    assert source.rate == NTSC
    assert [f.time for f in frames] == [i / NTSC for i in range(40)]
    assert [frame_number(f.pixels) for f in frames] == list(range(40))


@pytest.mark.parametrize("name", ["a.mkv", "a.webm"])
def test_times_in_matroska_are_rounded_to_milliseconds(tmp_path, name):
    write_frames(tmp_path / name, [pattern(i) for i in range(40)])
    source = open_frames(tmp_path / name)
    assert source.rate == NTSC
    assert max(abs(f.time - i / NTSC) for i, f in enumerate(source)) <= Fraction(1, 2000)


def test_variable_times_and_the_last_duration(tmp_path):
    pts = [0, 7, 100, 101, 500]
    write_frames(
        tmp_path / "a.mp4",
        [pattern(i) for i in range(5)],
        rate=Fraction(5),
        time_base=Fraction(1, 1000),
        pts=pts,
    )
    source = open_frames(tmp_path / "a.mp4")
    assert [f.time for f in source] == [Fraction(p, 1000) for p in pts]
    assert source.rate == 5  # so the last frame lasts half a second


def test_millisecond_times_still_have_an_exact_rate(tmp_path):
    pts = [round(1000 * i / NTSC) for i in range(50)]
    write_frames(tmp_path / "a.mp4", [pattern(i) for i in range(50)], time_base=Fraction(1, 1000), pts=pts)
    source = open_frames(tmp_path / "a.mp4")
    assert [f.time for f in source] == [Fraction(p, 1000) for p in pts]
    assert source.rate == NTSC


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm"])
def test_colours_are_tagged_and_true(tmp_path, name):
    red = np.full((48, 64, 3), (255, 0, 0), np.uint8)
    write_frames(tmp_path / name, [red] * 3, label="synthetic")
    with av.open(str(tmp_path / name)) as container:
        context = container.streams.video[0].codec_context
        tags = (context.color_range, context.colorspace, context.color_primaries, context.color_trc)
        assert tags == (1, 1, 1, 1)  # limited range and BT.709 (ITU-T H.273)
        assert context.pix_fmt == "yuv420p"
        assert {"synthetic"} <= set(container.metadata.values())
        frame = next(container.decode(video=0))
    means = [
        np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width].mean() for plane in frame.planes
    ]
    # Y = 16 + 219 Kr, Cb = 128 - 224 Kr / (2 - 2 Kb), Cr = 240 with Kr = 0.2126, Kb = 0.0722
    assert np.allclose(means, [62.6, 102.3, 240], atol=1.5)


def test_quality_and_odd_sizes(tmp_path):
    picture = np.asarray(Image.open(ASTRONAUT))[:255, 100:333]
    write_frames(tmp_path / "a.mp4", [picture] * 2)
    source = open_frames(tmp_path / "a.mp4")
    assert (source.width, source.height) == (232, 254)
    error = next(iter(source)).pixels.astype(float) - picture[:254, :232]
    assert 10 * np.log10(255**2 / (error**2).mean()) > 33
    assert np.abs(error.mean((0, 1))).max() < 0.5


def test_mp4_can_be_played_while_it_is_loaded(tmp_path):
    write_frames(tmp_path / "a.mp4", [pattern(0)] * 3)
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_gif(tmp_path):
    frames = [pattern(i) for i in range(31)]
    write_frames(tmp_path / "a.gif", frames, label="synthetic " * 40)
    with Image.open(tmp_path / "a.gif") as gif:
        durations = []
        for index in range(gif.n_frames):
            gif.seek(index)
            durations.append(gif.info["duration"])
            assert np.abs(np.asarray(gif.convert("RGB")).astype(float) - frames[index]).mean() < 8
        assert gif.info["loop"] == 0
    assert sum(durations) == 1030  # 31 * 1001 / 30000 s, to the nearest hundredth
    assert set(durations) == {30, 40}
    # Comment extension: blocks of up to 255 bytes, each after its length, then a 0 and the trailer.
    first, second = b"synthetic " * 25 + b"synth", b"etic " + b"synthetic " * 14
    comment = b"!\xfe" + bytes([255]) + first + bytes([145]) + second + b"\0;"
    assert (tmp_path / "a.gif").read_bytes().endswith(comment)


def test_gif_of_a_high_rate_leaves_frames_out(tmp_path):
    write_frames(tmp_path / "a.gif", [pattern(i) for i in range(50)], rate=Fraction(100))
    source = open_frames(tmp_path / "a.gif")
    assert [f.time for f in source] == [Fraction(i, 50) for i in range(25)]


def test_folder_of_pictures(tmp_path):
    for name in ("plain", "with.point/"):
        write_frames(f"{tmp_path}/{name}", [pattern(i) for i in range(3)], label="synthetic")
        files = sorted((tmp_path / name).iterdir())
        assert [f.name for f in files] == ["000000.png", "000001.png", "000002.png"]
        assert np.array_equal(np.asarray(Image.open(files[2])), pattern(2))
        assert Image.open(files[0]).text == {"Comment": "synthetic"}


def test_folder_replaces_an_empty_one_only(tmp_path):
    (tmp_path / "a").mkdir()
    write_frames(tmp_path / "a", [pattern(0)])
    assert (tmp_path / "a" / "000000.png").exists()
    with pytest.raises(OutputError, match="not empty"):
        write_frames(tmp_path / "a", [pattern(0)])


def test_one_picture(tmp_path):
    write_frames(tmp_path / "a.png", [pattern(3)])
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), pattern(3))
    with pytest.raises(OutputError, match="choose a video's name"):
        write_frames(tmp_path / "b.png", [pattern(0), pattern(1)])
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_nothing_is_left_on_an_exception(tmp_path, name, error):
    path = tmp_path / name
    if path.suffix:
        path.write_text("older")
    with (
        pytest.raises(error),
        open_writer(f"{tmp_path}/{name}", width=64, height=48, rate=NTSC, time_base=1 / NTSC) as writer,
    ):
        writer.write(pattern(0), 0)
        raise error
    assert [p.name for p in tmp_path.iterdir()] == ([path.name] if path.suffix else [])
    assert not path.suffix or path.read_text() == "older"


@pytest.mark.parametrize("name", ALL)
def test_no_frame_is_an_error(tmp_path, name):
    with (
        pytest.raises(OutputError, match="no frame"),
        open_writer(f"{tmp_path}/{name}", width=64, height=48, rate=NTSC, time_base=1 / NTSC),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "a.png").symlink_to(tmp_path / "real" / "b.png")
    write_frames(tmp_path / "a.png", [pattern(0)])
    assert (tmp_path / "a.png").is_symlink() and (tmp_path / "real" / "b.png").exists()


def test_the_driver_itself_can_be_replaced(tmp_path):
    source = open_frames(make_video(tmp_path / "a.mp4", audio="aac"))
    with open_writer(
        source.path, width=64, height=48, rate=source.rate, time_base=source.time_base, audio=source.audio
    ) as writer:
        for frame in source:
            writer.write(frame.pixels, frame.pts)
    assert len(list(open_frames(tmp_path / "a.mp4"))) == 20


FULL_DISK = """
import resource, sys
import numpy as np
from fractions import Fraction
from fadm.errors import OutputError
from fadm.media.writer import open_writer
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
try:
    path, num_frames = sys.argv[1], int(sys.argv[2])
    with open_writer(path, width=256, height=256, rate=Fraction(25), time_base=Fraction(1, 25)) as writer:
        for pts in range(num_frames):
            writer.write(np.roll(noise, pts, 1), pts)
except OutputError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.gif", "a.png", "frames"])
def test_full_disk(tmp_path, name):
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, name, "1" if name == "a.png" else "60"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert "disk full" in result.stderr and len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_check_output(tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").write_text("")
    for path, message in {
        f"{tmp_path}/none/a.mp4": "does not exist; create it",
        f"{tmp_path}/a.xyz": r"\.xyz, which is not known; end the name in \.mp4, ",
        f"{tmp_path}/folder.mp4": "is a folder",
        f"{tmp_path}/file": "is a file",
        f"{tmp_path}/{'x' * 300}.mp4": "name too long",
        "/proc/a.mp4": "nothing can be created",
    }.items():
        with pytest.raises(OutputError, match=message) as caught:
            check_output(path)
        assert "\n" not in str(caught.value)
    for name in ALL:
        check_output(f"{tmp_path}/{name}")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.mp4"]


def clear_picture(index: int) -> np.ndarray:
    """A picture whose left is clear, with a soft edge that moves by the frame."""
    alpha = np.clip((np.arange(64) - 20 - index) * 25, 0, 255).astype(np.uint8)
    return np.dstack([pattern(index), np.tile(alpha, (48, 1))])


@pytest.mark.parametrize("name", ["a.webm", "a.mov", "a/", "a.png", "a.webp"])
def test_alpha_is_kept(tmp_path, name):
    frames = [clear_picture(i) for i in range(3 if name in ("a.webm", "a.mov", "a/") else 1)]
    assert keeps_alpha(f"{tmp_path}/{name}")
    write_frames(f"{tmp_path}/{name}", frames, has_alpha=True)
    if name in ("a.webm", "a.mov"):
        with av.open(str(tmp_path / name)) as container:
            stream = container.streams.video[0]
            # FFmpeg's own VP9 decoder does not look at alpha.
            context = av.CodecContext.create("libvpx-vp9", "r") if name == "a.webm" else stream.codec_context
            decoded = [frame for packet in container.demux(stream) for frame in context.decode(packet)]
        read = [
            frame.reformat(format="rgba", src_colorspace=Colorspace.ITU709, threads=1).to_ndarray() for frame in decoded
        ]
        assert decoded[0].pts == 0 and len(read) == 3
    elif name == "a/":
        read = [np.asarray(Image.open(tmp_path / "a" / f"00000{i}.png")) for i in range(3)]
    else:
        read = [np.asarray(Image.open(tmp_path / name))]
    for made, frame in zip(read, frames, strict=True):
        assert made.shape == frame.shape
        assert np.abs(made[..., 3].astype(int) - frame[..., 3]).mean() < 2
        assert np.abs(made[:, 40:, :3].astype(int) - frame[:, 40:, :3]).mean() < 4


def test_formats_without_alpha_are_known(tmp_path):
    assert not any(keeps_alpha(name) for name in ("a.mp4", "a.m4v", "a.mkv", "a.gif", "a.jpg"))
    with pytest.raises(AssertionError):
        write_frames(tmp_path / "a.mp4", [clear_picture(0)], has_alpha=True)
    assert list(tmp_path.iterdir()) == []


def test_what_an_output_can_hold_is_known_before(tmp_path):
    assert has_sound("a.mp4") and has_sound("a.webm")
    assert not any(has_sound(name) for name in ("a.gif", "a.png", "folder/"))
    check_output(tmp_path / "a.png", num_frames=1)
    with pytest.raises(OutputError, match=r"a \.png file holds one frame"):
        check_output(tmp_path / "a.png", num_frames=2)


def test_a_video_needs_two_pixels(tmp_path):
    with pytest.raises(OutputError, match="at least 2x2"):
        write_frames(tmp_path / "a.mp4", [np.zeros((1, 8, 3), np.uint8)])


def test_mistakes_of_the_program(tmp_path):
    """Two equal times or a frame of another size are mistakes of the program."""
    for second in [(pattern(1), 0), (pattern(1, 32, 32), 1)]:
        with (
            pytest.raises(AssertionError),
            open_writer(tmp_path / "a.mp4", width=64, height=48, rate=NTSC, time_base=1 / NTSC) as writer,
        ):
            writer.write(pattern(0), 0)
            writer.write(*second)
    assert list(tmp_path.iterdir()) == []
