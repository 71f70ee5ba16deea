"""Short clips with faces, and what players learn from a video file."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import matplotlib
import numpy as np
from av.video.frame import VideoFrame

from fadm.media.crop import Square, copy_square, resize_pixels
from fadm.media.image import read_image
from fadm.media.reader import open_frames
from tests.media.samples import ASTRONAUT, CARPHONE, mux_tone

GRACE_HOPPER = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
BLANK = np.full((144, 192, 3), 60, np.uint8)


@cache
def carphone_frames() -> list[np.ndarray]:
    """The first 8 frames of a man who speaks, (144, 192, 3)."""
    return [resize_pixels(frame.pixels, 192, 144) for frame in open_frames(CARPHONE, end=0.26)]


@cache
def portrait(width: int = 192, height: int = 144) -> np.ndarray:
    """The astronaut's head as a frame of another shot."""
    return resize_pixels(copy_square(read_image(ASTRONAUT), Square(115, 0, 220), 220), width, height)


def write_clip(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    rate: Fraction = Fraction(25),
    time_base: Fraction | None = None,
    pts: Sequence[int] | None = None,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    turned: float = 0,
    audio: str | None = None,
    faststart: bool = False,
) -> Path:
    """Encode frames (H, W, 3), with a tone as long as they are if an audio codec is given; faststart: index first."""
    height, width = frames[0].shape[:2]
    options = {"libx264": {"crf": "12"}, "libx265": {"x265-params": "log-level=none"}}.get(codec, {})
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as output:
        video = output.add_stream(
            codec,
            rate=rate,
            time_base=time_base or 1 / rate,
            width=width,
            height=height,
            pix_fmt=pixel_format,
            options=options,
        )
        if turned:
            video.set_display_rotation(turned)
        sound = output.add_stream(audio, rate=48000, layout="mono") if audio else None
        for index, pixels in enumerate(frames):
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24").reformat(format=pixel_format)
            frame.pts = pts[index] if pts is not None else index
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if sound is not None:
            mux_tone(output, sound, round(len(frames) / rate * 48000))
    return path


@dataclass(frozen=True)
class VideoFile:
    """times: seconds of each frame from the first; sound: packets; colours: matrix, range, primaries, transfer."""

    times: list[Fraction]
    average_rate: Fraction
    size: tuple[int, int]
    colours: tuple[int, ...]
    sound: list[bytes]
    label: str | None


def inspect_video(path: Path) -> VideoFile:
    """Decode a whole file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames: list[Any] = list(container.decode(stream))
        rate, tags = stream.average_rate, container.metadata
    with av.open(str(path)) as container:
        streams = container.streams.audio
        sound = [bytes(packet) for packet in container.demux(streams[0]) if packet.size] if streams else []
    first = frames[0]
    return VideoFile(
        times=[(frame.pts - first.pts) * frame.time_base for frame in frames],
        average_rate=rate,
        size=(first.width, first.height),
        colours=(first.colorspace, first.color_range, first.color_primaries, first.color_trc),
        sound=sound,
        label=tags.get("comment") or tags.get("COMMENT"),
    )
