"""A video file to upright RGB frames with their exact times, by PyAV."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
from av.buffer import Buffer
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from fadm.errors import InputError
from fadm.media.audio import find_audio
from fadm.media.container import open_container, read_packets, video_stream
from fadm.media.frames import Decoded, FrameSource, TimeRange, Wanted, want_all
from fadm.media.image import MAX_PIXELS

# swscale's default is off by one grey level on average; with these flags the error has no bias.
CONVERSION = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)

_DEFAULT_RATE = Fraction(25)
_RATE_TOLERANCE = Fraction(1, 2)  # frames by which a header's rate may miss the last frame's time
_MATRICES = (0, 1, 4, 5, 6, 7, 9)  # those of ITU-T H.273 that swscale converts
_BT709, _BT601 = 1, 6
_MAX_STANDARD_DEFINITION_HEIGHT = 576


@dataclass(frozen=True)
class VideoFacts:
    """What is known before decoding.

    Unit of time in seconds, frames per second, pixel aspect, frame count, and whether packets tell when they are
    shown (AVI counts them as they are stored).
    """

    time_base: Fraction
    rate: Fraction
    start_pts: int
    pixel_aspect: Fraction
    num_frames: int | None
    has_display_times: bool


def open_video(path: Path, kept: TimeRange) -> FrameSource:
    """Open a video; the first kept frame is decoded to learn the size and to see that there is one.

    Raises InputError for a file that is no video, has no video stream, cannot be decoded or has no frame in
    the range.
    """
    with open_container(path) as container:
        facts = read_facts(container, path)
        if facts.num_frames is None or kept != TimeRange(Fraction(0), None):
            facts = _measure(path, facts, kept)
        first = next((decoded for decoded in decode_video(path, kept) if decoded is not None), None)
        if first is None:
            raise InputError(
                f"no frame of '{path}' from {float(kept.start):g} s on could be decoded; "
                "check that the file is whole and that the range lies within it"
            )
        start = first[0] * facts.time_base
        end = None if kept.end is None else facts.start_pts * facts.time_base + kept.end
        audio = find_audio(container, path, start, end)
    assert first[1] is not None
    height, width = first[1].shape[:2]
    return FrameSource(
        path=path,
        width=width,
        height=height,
        rate=facts.rate,
        time_base=facts.time_base,
        num_frames=facts.num_frames,
        audio=audio,
        decode=partial(decode_video, path, kept),
    )


def read_facts(container: InputContainer, path: Path) -> VideoFacts:
    """Read the header of an open video. Raises InputError without a video stream or over MAX_PIXELS."""
    stream = video_stream(container, path)
    context = stream.codec_context
    if context.width * context.height > MAX_PIXELS:
        raise InputError(
            f"'{path}' has frames of {context.width}x{context.height}, more than the {MAX_PIXELS} pixels "
            "(8192x8192) allowed; make it smaller first"
        )
    time_base = stream.time_base
    assert time_base is not None
    rate = stream.average_rate or stream.guessed_rate or _DEFAULT_RATE
    pixel_aspect = stream.sample_aspect_ratio or Fraction(1)
    has_display_times = container.format.name != "avi"
    num_frames = _count_announced(container, stream)
    return VideoFacts(time_base, rate, stream.start_time or 0, pixel_aspect, num_frames, has_display_times)


def _count_announced(container: InputContainer, stream: VideoStream) -> int | None:
    """How many frames the header says are shown, present or not.

    An MP4's edit list shows a part of the frames in its header's count; its index marks the others.
    """
    if stream.frames and "mp4" in container.format.name.split(","):
        return sum(not entry.is_discard for entry in stream.index_entries) or None
    return stream.frames or None


def _measure(path: Path, facts: VideoFacts, kept: TimeRange) -> VideoFacts:
    """Count the kept frames by their packets, without decoding; the header's rate stays where it fits them."""
    times: tuple[Fraction, Fraction] | None = None
    num_frames = 0
    with open_container(path) as container:
        for packet in read_packets(container, video_stream(container, path)):
            pts = packet.pts if facts.has_display_times else packet.dts
            if pts is None or packet.is_discard:
                continue
            time = (pts - facts.start_pts) * facts.time_base
            if time in kept:
                times = (min(times[0], time), max(times[1], time)) if times else (time, time)
                num_frames += 1
    if times is None or times[0] == times[1]:
        return facts
    num_intervals, length = num_frames - 1, times[1] - times[0]
    is_constant = abs(num_intervals - length * facts.rate) < _RATE_TOLERANCE
    rate = facts.rate if is_constant else (num_intervals / length).limit_denominator(1_000_000)
    return replace(facts, rate=rate, num_frames=num_frames)


def decode_video(path: Path, kept: TimeRange, is_wanted: Wanted = want_all) -> Iterator[Decoded]:
    """Yield the kept frames of a video as (pts, uint8 (H, W, 3)), None for each one that is damaged.

    Of frames that are not wanted there are no pixels. pts are the file's own. All frames have the size of the
    first one.
    """
    reformatter = VideoReformatter()
    with open_container(path) as container:
        facts = read_facts(container, path)
    size: tuple[int, int] | None = None
    last_pts, number = None, -1
    for frame in _read_frames(path, facts, kept):
        if frame is None:
            yield None
            continue
        pts = _frame_pts(frame, facts, last_pts)
        if last_pts is not None and pts <= last_pts:
            yield None
            continue
        last_pts = pts
        time = (pts - facts.start_pts) * facts.time_base
        if kept.end is not None and time >= kept.end:
            return
        size = size or (round(frame.width * facts.pixel_aspect), frame.height)
        if time in kept:
            number += 1
            yield pts, to_pixels(frame, size, reformatter) if is_wanted(number) else None


def _frame_pts(frame: VideoFrame, facts: VideoFacts, last_pts: int | None) -> int:
    """A frame's time, one average frame after the last where the file has none (raw streams)."""
    if frame.pts is not None:
        return frame.pts
    if last_pts is None:
        return facts.start_pts
    return last_pts + round(1 / (facts.rate * facts.time_base))


def _read_frames(path: Path, facts: VideoFacts, kept: TimeRange) -> Iterator[VideoFrame | None]:
    """Frames from the last key frame up to the start on; from the beginning where seeking overshoots."""
    target = facts.start_pts + int(kept.start / facts.time_base)
    for seeks in (True, False) if kept.start else (False,):
        with open_container(path) as container:
            stream = video_stream(container, path)
            if seeks and not (facts.has_display_times and _seek(container, stream, target)):
                continue
            frames = _decode_packets(container, stream)
            if not facts.has_display_times:
                frames = _time_by_decoding(frames, facts.start_pts)
            if seeks:
                first = next((frame for frame in frames if frame is not None), None)
                if first is None or first.pts is None or first.pts > target:
                    continue
                yield first
            yield from frames
            return


def _time_by_decoding(frames: Iterator[VideoFrame | None], start_pts: int) -> Iterator[VideoFrame | None]:
    """Time frames that are read from the beginning by when they are decoded, less the decoder's delay."""
    delay = None
    for frame in frames:
        if frame is not None:
            if delay is None:
                delay = (frame.dts or 0) - start_pts
            frame.pts = None if frame.dts is None else frame.dts - delay
        yield frame


def _seek(container: InputContainer, stream: VideoStream, target: int) -> bool:
    try:
        container.seek(target, stream=stream)
    except av.error.FFmpegError:
        return False
    return True


def _decode_packets(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame | None]:
    """Decode to the end of the file, None for each packet or frame that is damaged."""
    stream.thread_type = "AUTO"
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames = packet.decode()
        except av.error.FFmpegError:
            yield None
            continue
        for frame in frames:
            yield None if frame.is_corrupt else frame


def to_pixels(frame: VideoFrame, size: tuple[int, int], reformatter: VideoReformatter) -> np.ndarray:
    """Convert a decoded frame to RGB by its own matrix and range, scale to `size` (width, height), turn.

    -> uint8 (H, W, 3). Untagged frames count as BT.601 up to 576 lines and as BT.709 above, as players do.
    """
    if frame.colorspace not in _MATRICES:
        frame.colorspace = _BT709 if frame.height > _MAX_STANDARD_DEFINITION_HEIGHT else _BT601
    rgb = reformatter.reformat(
        frame,
        width=size[0],
        height=size[1],
        format="rgb24",
        interpolation=CONVERSION,
        threads=1,
    )
    return np.ascontiguousarray(_turn_upright(rgb.to_ndarray(), frame))


def _turn_upright(pixels: np.ndarray, frame: VideoFrame) -> np.ndarray:
    """Apply the display matrix, one of the eight turns and mirrorings by right angles.

    The matrix (a b u; c d v; x y w) means x' = a x + c y, y' = b x + d y (ISO/IEC 14496-12, 8.2.2).
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(matrix, Buffer):
        return pixels
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    if abs(a) >= abs(b):
        x_from, y_from = a, d
    else:
        pixels = pixels.transpose(1, 0, 2)
        x_from, y_from = c, b
    return pixels[:: -1 if y_from < 0 else 1, :: -1 if x_from < 0 else 1]
