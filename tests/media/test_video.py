import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from fadm.errors import InputError
from fadm.media.reader import open_frames
from fadm.media.writer import open_writer
from tests.media.samples import CARPHONE, frame_number, make_video, pattern, trim_start


def test_size_times_and_rate():
    source = open_frames(CARPHONE)
    frames = list(source)
    assert source.rate == Fraction(30000, 1001)
    assert len(frames) == source.num_frames == 120
    assert [f.time for f in frames] == [i * Fraction(1001, 30000) for i in range(120)]
    assert all(f.pts * source.time_base == f.time for f in frames)
    assert frames[0].pixels.shape == (source.height, source.width, 3)
    assert source.audio is None and source.num_damaged == 0


def test_a_source_can_be_read_again(tmp_path):
    source = open_frames(make_video(tmp_path / "a.mp4"))
    first, second = ([frame_number(f.pixels) for f in source] for _ in range(2))
    assert first == second == list(range(20))


@pytest.mark.parametrize("options", [{"bf": "0"}, {"bf": "3"}, {"g": "7"}])
def test_frames_that_an_edit_list_hides_are_not_counted(tmp_path, options):
    path = make_video(tmp_path / "a.mp4", num_frames=30, options={"crf": "10"} | options)
    source = open_frames(trim_start(path, tmp_path / "b.mp4", 10))
    assert source.num_frames == 20 and source.rate == 25
    assert [frame_number(f.pixels) for f in source] == list(range(10, 30))
    part = open_frames(tmp_path / "b.mp4", start=0.2, end=0.6)
    assert part.num_frames == len(list(part)) == 10


@pytest.mark.parametrize(("name", "codec"), [("a.webm", "libvpx-vp9"), ("a.mkv", "ffv1"), ("a.ts", "mpeg2video")])
def test_other_codecs(tmp_path, name, codec):
    frames = list(open_frames(make_video(tmp_path / name, codec=codec, options={"b": "2M"})))
    assert [round(f.time * 25) for f in frames] == list(range(20))
    assert all(np.abs(f.pixels.astype(float) - pattern(i)).mean() < 6 for i, f in enumerate(frames))


def test_variable_rate_survives(tmp_path):
    pts = [0, 1000, 1500, 9000, 9001, 20000]
    path = make_video(tmp_path / "a.mp4", num_frames=6, time_base=Fraction(1, 90000), pts=pts)
    assert [f.time for f in open_frames(path)] == [Fraction(p, 90000) for p in pts]


def test_rate_of_a_range_of_a_variable_rate(tmp_path):
    pts = [*range(0, 1000, 100), *range(1000, 2000, 20)]
    path = make_video(tmp_path / "a.mp4", num_frames=60, time_base=Fraction(1, 1000), pts=pts)
    assert open_frames(path, end=1).rate == 10
    assert open_frames(path, start=1).rate == 50


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.h264"])
@pytest.mark.parametrize(("start", "end"), [(0.5, 1.0), (1.2, None), (None, 0.4), (Fraction(1, 3), 1.5)])
def test_range(tmp_path, name, start, end):
    path = make_video(tmp_path / name, num_frames=60, options={"crf": "10", "g": "7"})
    source = open_frames(path, start=start, end=end)
    frames = list(source)
    expected = [i for i in range(60) if i / 25 >= (start or 0) and (end is None or i / 25 < end)]
    assert [frame_number(f.pixels) for f in frames] == expected
    assert [f.time for f in frames] == [Fraction(i, 25) for i in range(len(expected))]
    assert source.rate == 25
    if name != "a.h264":  # raw streams have no times to count by
        assert source.num_frames == len(expected)


def test_range_without_a_frame(tmp_path):
    with pytest.raises(InputError, match="from 9 s on"):
        open_frames(make_video(tmp_path / "a.mp4"), start=9)


def test_pixels_become_square(tmp_path):
    source = open_frames(make_video(tmp_path / "a.mp4", num_frames=2, pixel_aspect=Fraction(3, 2)))
    assert (source.width, source.height) == (96, 48)
    assert next(iter(source)).pixels.shape == (48, 96, 3)


def test_damaged_frames_are_skipped_and_counted(tmp_path):
    path = make_video(tmp_path / "a.ts", num_frames=60, options={"crf": "10", "g": "10"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 188 * 188
    for packet in range(middle, middle + 5 * 188, 188):
        data[packet + 8 : packet + 188] = bytes(180)
    path.write_bytes(data)
    source = open_frames(path)
    numbers = [frame_number(f.pixels) for f in source]
    assert source.num_damaged > 0
    assert 40 < len(numbers) < 60
    assert numbers[0] == 0 and numbers[-1] == 59


def test_a_video_that_breaks_off_is_read_as_far_as_it_goes(tmp_path):
    path, unit = tmp_path / "a.mp4", Fraction(1, 25)
    with open_writer(path, width=64, height=48, rate=1 / unit, time_base=unit) as writer:
        for index in range(60):
            writer.write(pattern(index), index)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    numbers = [frame_number(f.pixels) for f in open_frames(path)]
    assert numbers == list(range(len(numbers)))
    assert 10 < len(numbers) < 60


def test_unusable_files(tmp_path):
    whole = make_video(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])  # without the index at the end
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    (tmp_path / "text.txt").write_text("no video\n" * 100)
    (tmp_path / "zeros.mkv").write_bytes(bytes(5000))
    (tmp_path / "empty.mp4").touch()
    with av.open(str(tmp_path / "sound.wav"), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        samples.sample_rate = 8000
        output.mux(stream.encode(samples))
    for name, message in {
        "cut.mp4": "cannot be read as a video",
        "text.mp4": "cannot be read as a video",
        "text.txt": "text file",
        "zeros.mkv": "cannot be read as a video|no frame",
        "empty.mp4": "empty",
        "sound.wav": "no video stream",
        "x" * 300: "name too long",
        "none.mp4": "No such file",
    }.items():
        with pytest.raises(InputError, match=message) as caught:
            open_frames(tmp_path / name)
        assert "\n" not in str(caught.value) and name in str(caught.value)


def test_memory_does_not_grow_with_length(tmp_path):
    """Peak memory of a process that reads 10 and 200 frames of 640x360."""
    path = make_video(tmp_path / "a.mp4", num_frames=200, size=(640, 360), options={"preset": "ultrafast"})
    code = (
        "import resource, sys; from fadm.media.reader import open_frames\n"
        "for frame in open_frames(sys.argv[1], end=float(sys.argv[2])): pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    short, long = (
        int(subprocess.run([sys.executable, "-c", code, path, end], capture_output=True, check=True).stdout)
        for end in ("0.4", "8")
    )
    assert long - short < 60_000  # kilobytes; the 190 frames have 131,000


def test_selected_frames_are_those_of_the_whole_with_their_numbers():
    source = open_frames(CARPHONE, end=0.26)
    whole = list(source)
    selected = list(source.select(lambda number: number % 3 == 1))
    assert [number for number, _ in selected] == list(range(1, len(whole), 3))
    for number, frame in selected:
        assert frame.pts == whole[number].pts and np.array_equal(frame.pixels, whole[number].pixels)
