from fractions import Fraction
from itertools import pairwise

import av
import pytest
from av.video.frame import VideoFrame

from fadm.media.clock import order_frames
from fadm.media.container import open_container, read_packets
from fadm.media.reader import open_frames
from fadm.media.writer import open_writer
from tests.media.samples import frame_number, make_video
from tests.media.samples import read_packets as read_stored


def join(path, *parts):
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def move(path, moved, seconds):
    """Copy a transport stream with later times."""
    with av.open(str(path)) as given, av.open(str(moved), "w") as output:
        streams = {stream.index: output.add_stream_from_template(stream) for stream in given.streams}
        for packet in given.demux():
            if packet.dts is not None:
                shift = round(seconds / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = streams[packet.stream_index]
                output.mux(packet)
    return moved


@pytest.mark.parametrize("audio", [None, "aac"])
@pytest.mark.parametrize("num_bframes", ["0", "2"])
@pytest.mark.parametrize("jump", [Fraction(0), Fraction(1, 2), Fraction(5), Fraction(1000)])
@pytest.mark.parametrize("is_back", [False, True])
def test_joined_recordings_play_on(tmp_path, audio, num_bframes, jump, is_back):
    options = {"crf": "10", "bf": num_bframes, "g": "10"}
    parts = [make_video(tmp_path / f"{n}.ts", num_frames=n, audio=audio, options=options) for n in (20, 30)]
    if jump:
        place = 0 if is_back else 1
        parts[place] = move(parts[place], tmp_path / "moved.ts", jump)
    path = join(tmp_path / "joined.ts", *parts)
    source = open_frames(path)
    frames = list(source)
    assert [frame_number(f.pixels) for f in frames] == [*range(20), *range(30)]
    assert [f.time for f in frames] == [Fraction(i, 25) for i in range(50)]
    assert (source.num_frames, source.rate, source.num_damaged) == (50, 25, 0)
    part = open_frames(path, start=0.52, end=1.2)
    assert [frame_number(f.pixels) for f in part] == [*range(13, 20), *range(10)]
    assert (part.num_frames, part.rate) == (17, 25)


def test_sound_of_joined_recordings_stays_in_step(tmp_path):
    parts = [make_video(tmp_path / f"{n}.ts", num_frames=n, audio="aac") for n in (20, 30)]
    source = open_frames(join(tmp_path / "joined.ts", parts[0], move(parts[1], tmp_path / "moved.ts", 1000)))
    (joined,) = source.audio.joins
    with open_container(source.path) as container:
        sound = container.streams.audio[0]
        times = [
            float(p.pts * p.time_base - source.audio.start)
            for p in read_packets(container, sound, joins=(joined,))
            if p.pts is not None
        ]
    output = tmp_path / "copied.mp4"
    shape = {"width": source.width, "height": source.height, "rate": source.rate, "time_base": source.time_base}
    with open_writer(output, audio=source.audio, **shape) as writer:
        for frame in source:
            writer.write(frame.pixels, frame.pts)
    for copied in (times, [float(time) for time, _ in read_stored(output, "audio")]):
        steps = [after - before for before, after in pairwise(copied)]
        assert max(abs(step - 1024 / 48000) for step in steps) < 0.05
        assert copied[-1] == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("start", [None, 0.12])
def test_frames_of_repeated_times_are_kept(tmp_path, start):
    pts = [0, 40, 80, 120, 120, 160, 200, 200, 240, 280]
    path = make_video(
        tmp_path / "a.mkv",
        codec="mpeg4",
        num_frames=10,
        time_base=Fraction(1, 1000),
        pts=[2 * p + (i == 4 or i == 7) for i, p in enumerate(pts)],
        options={"b": "4M"},
    )
    halved = tmp_path / "halved.mkv"
    with av.open(str(path)) as given, av.open(str(halved), "w") as output:
        stream = output.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.size:
                packet.pts = packet.dts = packet.pts // 2
                packet.stream = stream
                output.mux(packet)
    source = open_frames(halved, start=start)
    first = 0 if start is None else 3
    expected = [0, 40, 80, 120, 121, 160, 200, 201, 240, 280][first:]
    frames = list(source)
    assert [f.time for f in frames] == [Fraction(p - expected[0], 1000) for p in expected]
    assert (source.num_frames, source.num_damaged) == (10 - first, 0)
    assert [frame_number(f.pixels) for f in frames] == list(range(first, 10))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([None, None, None], [7, 17, 27]),
        ([7, 17, 17, 17, 27], [7, 17, 18, 19, 27]),
        ([7, 17, 37, 27, 47], [7, 17, 37, 38, 47]),
        ([107, 117, 7, 17, 27], [107, 117, 127, 137, 147]),
        ([7, None, 27], [7, 17, 27]),
    ],
)
def test_order_frames(given, expected):
    frames = [VideoFrame(16, 16, "yuv420p") for _ in given]
    for frame, pts in zip(frames, given, strict=True):
        frame.pts = pts
    assert [timed and timed[0] for timed in order_frames([*frames, None], 7, 10)] == [*expected, None]
