from fractions import Fraction

import av
import pytest

from fadm.media.audio import AudioTrack
from fadm.media.reader import open_frames
from fadm.media.writer import open_writer
from tests.media.samples import make_video, read_packets


def copy_video(source, path):
    with open_writer(
        path,
        width=source.width,
        height=source.height,
        rate=source.rate,
        time_base=source.time_base,
        audio=source.audio,
    ) as writer:
        for frame in source:
            writer.write(frame.pixels, frame.pts)


@pytest.mark.parametrize(
    ("name", "codec", "target"),
    [
        ("a.mp4", "aac", "b.mp4"),
        ("a.mp4", "aac", "b.mkv"),
        ("a.mov", "pcm_s16le", "b.mov"),
        ("a.mkv", "libopus", "b.webm"),
        ("a.mkv", "libopus", "b.mp4"),
        ("a.mkv", "flac", "b.mp4"),
    ],
)
def test_packets_are_copied_unchanged(tmp_path, name, codec, target):
    path = make_video(tmp_path / name, num_frames=30, audio=codec)
    copy_video(open_frames(path), tmp_path / target)
    before, after = read_packets(path, "audio"), read_packets(tmp_path / target, "audio")
    assert [data for _, data in before] == [data for _, data in after]
    assert max(abs(a - b) for (a, _), (b, _) in zip(before, after, strict=True)) < Fraction(1, 1000)
    assert read_packets(tmp_path / target, "video")[0][0] == 0


def test_transport_stream_sound_fits_into_mp4(tmp_path):
    copy_video(open_frames(make_video(tmp_path / "a.ts", audio="aac")), tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) > 35_000


@pytest.mark.parametrize("target", ["b.mp4", "b.mkv"])
def test_range_is_in_step_with_the_pictures(tmp_path, target):
    path = make_video(tmp_path / "a.mp4", num_frames=100, audio="aac", options={"g": "10"})
    source = open_frames(path, start=2.5, end=3.5)
    assert source.audio == AudioTrack(path, "aac", Fraction("2.52"), Fraction("3.5"))
    copy_video(source, tmp_path / target)
    times = {data: time for time, data in read_packets(path, "audio")}
    copied = read_packets(tmp_path / target, "audio")
    for time, data in copied:
        assert abs(time - (times[data] - source.audio.start)) < Fraction(1, 1000)
    assert -0.04 < copied[0][0] <= 0
    assert 0.93 < copied[-1][0] < 0.98


def test_sound_and_pictures_are_interleaved(tmp_path):
    """In the file, no sound lies far from its picture: neither was kept in memory meanwhile."""
    path = make_video(tmp_path / "a.mp4", num_frames=250, audio="aac")
    copy_video(open_frames(path), tmp_path / "b.mkv")
    latest = {"video": Fraction(0), "audio": Fraction(0)}
    with av.open(str(tmp_path / "b.mkv")) as container:
        for packet in container.demux():
            if packet.size:
                latest[packet.stream.type] = packet.pts * packet.time_base
                assert abs(latest["video"] - latest["audio"]) < 1


def test_a_video_without_sound_has_no_track(tmp_path):
    assert open_frames(make_video(tmp_path / "a.mp4")).audio is None
