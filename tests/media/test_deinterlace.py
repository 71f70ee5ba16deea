from fractions import Fraction

import av
import numpy as np
import pytest
from av.filter import Graph
from av.video.frame import VideoFrame

from fadm.media.reader import open_frames
from tests.media.samples import CARPHONE


@pytest.fixture(scope="module")
def carphone():
    return [np.ascontiguousarray(f.pixels[:144, :192]) for f in open_frames(CARPHONE, end=0.8)]


def weave(pixels):
    """Frames whose even rows are of one moment and whose odd rows are of the next."""
    woven = [first.copy() for first in pixels[::2]]
    for frame, second in zip(woven, pixels[1::2], strict=True):
        frame[1::2] = second[1::2]
    return woven


def save(path, codec, pixels, fields, options, is_turned=False):
    """Encode frames; `fields` is tff, bff or prog for each."""
    height, width = pixels[0].shape[:2]
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=15, width=width, height=height, pix_fmt="yuv420p", options=options)
        if is_turned:
            stream.codec_context.colorspace = 1  # BT.709, unlike what pictures of this height count as
            stream.set_display_rotation(90)
        for index, (picture, order) in enumerate(zip(pixels, fields, strict=True)):
            graph = Graph()
            source = graph.add_buffer(width=width, height=height, format="yuv420p", time_base=Fraction(1, 15))
            graph.link_nodes(source, graph.add("setfield", order), graph.add("buffersink")).configure()
            frame = VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts = index
            graph.vpush(frame)
            output.mux(stream.encode(graph.vpull()))
        output.mux(stream.encode(None))
    return path


def combs(pixels):
    """How much rows differ from their neighbours but not from the next but one."""
    grey = pixels.astype(float).mean(axis=2)
    near = np.abs(np.diff(grey, axis=0))
    far = np.abs(grey[2:] - grey[:-2])
    return float(near[:-1].mean() - far.mean())


INTERLACED = {"flags": "+ildct+ilme", "crf": "10", "b": "8M"}


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mpg", "mpeg2video"), ("a.mkv", "ffv1")])
@pytest.mark.parametrize("order", ["tff", "bff"])
def test_interlaced_frames_become_progressive(tmp_path, carphone, name, codec, order):
    # The field that comes first is the one of the earlier moment.
    swapped = [carphone[index ^ 1] for index in range(len(carphone))]
    woven = weave(carphone if order == "tff" else swapped)
    source = open_frames(save(tmp_path / name, codec, woven, [order] * len(woven), INTERLACED))
    frames = list(source)
    assert len(frames) == len(woven) and source.num_damaged == 0
    assert [round(f.time * 15, 2) for f in frames] == list(range(len(woven)))
    progressive, given = (np.mean([combs(p) for p in pictures]) for pictures in (carphone[::2], woven))
    assert np.mean([combs(f.pixels) for f in frames]) < progressive < given
    # Each shows the moment of its first field: the rows of that field are the given ones.
    rows = slice(0, None, 2) if order == "tff" else slice(1, None, 2)
    differences = [
        np.abs(frame.pixels[rows].astype(float).mean(2) - picture[rows].mean(2)).mean()
        for frame, picture in zip(frames, woven, strict=True)
    ]
    assert np.mean(differences) < 3


def test_selected_and_ranged_frames_are_those_of_the_whole(tmp_path, carphone):
    woven = weave(carphone)
    path = save(tmp_path / "a.mp4", "libx264", woven, ["tff"] * len(woven), INTERLACED | {"g": "4"})
    whole = list(open_frames(path))
    for number, frame in open_frames(path).select(lambda n: n % 3 == 1):
        assert np.array_equal(frame.pixels, whole[number].pixels)
    part = list(open_frames(path, start=0.3))
    assert len(part) == len(whole) - 5
    assert all(np.array_equal(f.pixels, w.pixels) for f, w in zip(part[1:], whole[6:], strict=True))


def test_progressive_frames_pass_untouched(tmp_path, carphone):
    """Of a video with some interlaced frames; those before the first one never see the filter."""
    fields = ["prog", "prog", "tff", "prog", "tff", "prog"]
    pixels = carphone[: len(fields)]
    whole = save(tmp_path / "prog.mkv", "ffv1", pixels, ["prog"] * len(fields), {})
    mixed = save(tmp_path / "mixed.mkv", "ffv1", pixels, fields, {})
    for order, expected, given in zip(fields, open_frames(whole), open_frames(mixed), strict=True):
        assert given.time == expected.time
        assert np.array_equal(given.pixels, expected.pixels) == (order == "prog")


@pytest.mark.parametrize("num_frames", [1, 2])
def test_shortest_videos(tmp_path, carphone, num_frames):
    path = save(tmp_path / "a.mkv", "ffv1", carphone[:num_frames], ["tff"] * num_frames, {})
    assert len(list(open_frames(path))) == num_frames


def test_colours_and_turn_are_kept(tmp_path, carphone):
    source = open_frames(save(tmp_path / "a.mp4", "libx264", carphone[:4], ["tff"] * 4, INTERLACED, is_turned=True))
    path = save(tmp_path / "b.mp4", "libx264", carphone[:4], ["prog"] * 4, {"crf": "10"}, is_turned=True)
    progressive = open_frames(path)
    for given, expected in zip(source, progressive, strict=True):
        assert given.pixels.shape == expected.pixels.shape == (192, 144, 3)
        assert np.abs(given.pixels.mean((0, 1)) - expected.pixels.mean((0, 1))).max() < 1
