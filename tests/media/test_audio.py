from fractions import Fraction

import av
import numpy as np
import pytest

from fadm.errors import OptionError
from fadm.media.audio import AudioTrack, choose_track
from fadm.media.reader import open_frames
from fadm.media.writer import open_writer
from tests.media.samples import make_tracks, make_video, onset_of, pattern, read_packets, read_sound


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
    return writer


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


@pytest.mark.parametrize(
    ("name", "video", "codec"),
    [
        ("a.wmv", "wmv2", "wmav2"),
        ("a.wmv", "wmv2", "wmav1"),
        ("a.avi", "mpeg4", "adpcm_ms"),
        ("a.avi", "mpeg4", "adpcm_ima_wav"),
        ("a.mov", "mpeg4", "pcm_mulaw"),
    ],
)
def test_matroska_holds_nearly_all_sound_as_it_is(tmp_path, name, video, codec):
    folder = tmp_path / "it's [a|b] \\ :x"  # characters that mean something to FFmpeg
    folder.mkdir()
    path = make_video(folder / name, codec=video, audio=codec, options={"b": "200k"}, onset=0.4)
    source = open_frames(path)
    assert copy_video(source, folder / "b.mkv").sound == f"{codec}, copied"
    before, after = ([data for _, data in read_packets(p, "audio")] for p in (path, folder / "b.mkv"))
    assert after == before[-len(after) :] and len(after) >= len(before) - 1  # ASF begins its sound before its pictures
    assert onset_of(folder / "b.mkv") == pytest.approx(onset_of(path) - float(source.audio.start), abs=0.002)
    assert {p.name for p in folder.iterdir()} == {name, "b.mkv"}


@pytest.mark.parametrize(
    ("name", "video", "codec", "target", "said"),
    [
        ("a.wmv", "wmv2", "wmav2", "b.mp4", "wmav2, encoded again as aac"),
        ("a.avi", "mpeg4", "adpcm_ms", "b.mp4", "adpcm_ms, encoded again as aac"),
        ("a.mov", "mpeg4", "adpcm_ima_qt", "b.mkv", "adpcm_ima_qt, encoded again as aac"),
        ("a.avi", "mpeg4", "adpcm_ima_wav", "b.mov", "adpcm_ima_wav, encoded again as aac"),
        ("a.avi", "mpeg4", "adpcm_ms", "b.webm", "adpcm_ms, encoded again as opus"),
        ("a.mp4", "libx264", "aac", "b.webm", "aac, encoded again as opus"),
        ("a.mov", "mpeg4", "pcm_mulaw", "b.m4v", "pcm_mulaw, encoded again as aac"),
    ],
)
def test_sound_that_does_not_fit_is_encoded_again_in_step_with_the_pictures(tmp_path, name, video, codec, target, said):
    path = make_video(tmp_path / name, codec=video, num_frames=30, audio=codec, options={"b": "200k"}, onset=0.5)
    source = open_frames(path)
    assert copy_video(source, tmp_path / target).sound == said
    assert onset_of(tmp_path / target) == pytest.approx(onset_of(path) - float(source.audio.start), abs=0.003)
    before, after = read_sound(path)[0], read_sound(tmp_path / target)[0]
    assert abs(len(after) - len(before)) < 2200  # less than two packets
    assert np.percentile(np.abs(after), 90) == pytest.approx(np.percentile(np.abs(before), 90), rel=0.05)
    assert read_packets(tmp_path / target, "video")[0][0] == 0


@pytest.mark.parametrize("target", ["b.mp4", "b.webm"])
def test_a_range_that_is_encoded_again_is_in_step(tmp_path, target):
    codec = "adpcm_ms" if target == "b.mp4" else "aac"
    path = make_video(tmp_path / "a.mkv" if codec == "aac" else tmp_path / "a.avi", num_frames=100, audio=codec,
                      codec="mpeg4", onset=2.9, options={"g": "10"})  # fmt: skip
    source = open_frames(path, start=2.4, end=3.4)
    copy_video(source, tmp_path / target)
    assert onset_of(tmp_path / target) == pytest.approx(onset_of(path) - float(source.audio.start), abs=0.003)
    assert len(read_sound(tmp_path / target)[0]) / 48000 == pytest.approx(1, abs=0.025)


def test_a_gap_in_the_sound_stays_a_gap_when_it_is_encoded_again(tmp_path):
    path = make_video(tmp_path / "a.mkv", num_frames=50, audio="aac", onset=1.5)
    with av.open(str(path)) as whole, av.open(str(tmp_path / "gap.mkv"), "w") as output:
        streams = {s.type: output.add_stream_from_template(s) for s in whole.streams}
        for packet in whole.demux():
            if packet.size and (packet.stream.type == "video" or not 0.3 < packet.pts * packet.time_base < 0.9):
                packet.stream = streams[packet.stream.type]
                output.mux(packet)
    copy_video(open_frames(tmp_path / "gap.mkv"), tmp_path / "b.webm")
    assert onset_of(tmp_path / "b.webm") == pytest.approx(onset_of(path), abs=0.003)


@pytest.mark.parametrize(("codec", "layout"), [("aac", "5.1"), ("ac3", "5.1(side)")])
def test_surround_sound_stays_so(tmp_path, codec, layout):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25, width=64, height=48)
        sound = output.add_stream(codec, rate=48000, layout=layout)
        for pts in range(3):
            frame = av.VideoFrame.from_ndarray(pattern(pts), format="rgb24").reformat(format="yuv420p")
            frame.pts = pts
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        samples = av.AudioFrame.from_ndarray(np.zeros((6, 4096), np.float32), format="fltp", layout=layout)
        samples.sample_rate = 48000
        output.mux([*sound.encode(samples), *sound.encode(None)])
    copy_video(open_frames(path), tmp_path / "b.webm")
    with av.open(str(tmp_path / "b.webm")) as container:
        assert container.streams.audio[0].channels == 6


def test_the_default_track_is_taken_and_another_can_be_chosen(tmp_path):
    path = make_tracks(tmp_path / "a.mkv", [48000, 44100, 32000], default=2)
    track = open_frames(path).audio
    assert track is not None and track.number == 2
    assert open_frames(make_tracks(tmp_path / "b.mkv", [48000, 44100])).audio.number == 1
    for number, rate in ((1, 48000), (2, 44100), (3, 32000)):
        source = open_frames(path)
        source.audio = choose_track(track, number)
        copy_video(source, tmp_path / "c.mp4")
        assert read_sound(tmp_path / "c.mp4")[1] == rate


def test_a_track_that_is_not_there_is_an_error(tmp_path):
    track = open_frames(make_tracks(tmp_path / "a.mkv", [48000, 44100])).audio
    with pytest.raises(OptionError, match=r"--audio-track 3: '.*' has 2 audio tracks; give a number from 1 to 2"):
        choose_track(track, 3)
    track = open_frames(make_tracks(tmp_path / "b.mkv", [48000])).audio
    with pytest.raises(OptionError, match=r"has 1 audio track; give 1"):
        choose_track(track, 2)


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
