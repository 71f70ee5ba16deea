"""A video file decoded by PyAV to upright RGB frames with their exact times."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from fadm.errors import InputError
from fadm.media.audio import find_audio
from fadm.media.clock import Join, order_frames, shift_packets
from fadm.media.container import find_video_stream, open_container
from fadm.media.conversion import convert_frame, explain_colours
from fadm.media.deinterlace import deinterlace
from fadm.media.frames import Decoded, FrameSource, TimeRange, Wanted, want_all
from fadm.media.video_info import VideoInfo, count_frames, read_info


def open_video(path: Path, kept: TimeRange) -> FrameSource:
    """Open a video; the first kept frame is decoded to find the size and to check that there is one.

    Args:
        path: The file.
        kept: The part to read.

    Returns:
        The frames of that part.

    Raises:
        InputError: The file is no video, has no video stream, cannot be decoded or has no frame in the part.
    """
    with open_container(path) as container:
        info = read_info(container, path)
        if info.num_frames is None or kept != TimeRange(Fraction(0), None):
            info = count_frames(path, info, kept)
        first = next((decoded for decoded in decode_video(path, info, kept) if decoded is not None), None)
        if first is None:
            raise InputError(
                f"no frame of '{path}' from {float(kept.start):g} s on could be decoded; "
                "check that the file is whole and that the range lies within it"
            )
        start = first[0] * info.time_base
        end = None if kept.end is None else info.start_pts * info.time_base + kept.end
        audio = find_audio(container, path, start, end)
        audio = None if audio is None else replace(audio, joins=info.joins)
    assert first[1] is not None
    height, width = first[1].shape[:2]
    return FrameSource(
        path=path,
        width=width,
        height=height,
        rate=info.rate,
        time_base=info.time_base,
        num_frames=info.num_frames,
        audio=audio,
        decode=partial(decode_video, path, info, kept),
    )


def decode_video(path: Path, info: VideoInfo, kept: TimeRange, is_wanted: Wanted = want_all) -> Iterator[Decoded]:
    """Decode a part of a video; all frames are scaled to the size of the first one.

    Args:
        path: The file.
        info: Its properties.
        kept: The part to read.
        is_wanted: Which of the part's frames to convert to pixels, by number from 0.

    Yields:
        The file's own pts, made continuous, and uint8 (H, W, 3), None in place of unwanted pixels; None for a
        damaged frame.

    Raises:
        InputError: The file cannot be opened, or has colours that cannot be converted.
    """
    reformatter = VideoReformatter()
    size: tuple[int, int] | None = None
    number, frame_time = -1, round(1 / (info.rate * info.time_base))
    for timed in order_frames(deinterlace(_read_frames(path, info, kept)), info.start_pts, frame_time):
        if timed is None:
            yield None
            continue
        pts, frame = timed
        time = (pts - info.start_pts) * info.time_base
        if kept.end is not None and time >= kept.end:
            return
        size = size or (round(frame.width * info.pixel_aspect), frame.height)
        if time in kept:
            number += 1
            if (colours := explain_colours(frame)) is not None:
                raise InputError(f"'{path}' has {colours}, which cannot be shown as BT.709; convert it to BT.709 first")
            yield pts, convert_frame(frame, size, reformatter) if is_wanted(number) else None


def _read_frames(path: Path, info: VideoInfo, kept: TimeRange) -> Iterator[VideoFrame | None]:
    """Decode from the last key frame before the start; where seeking overshoots, from the beginning."""
    target = info.start_pts + int(kept.start / info.time_base)
    for seeks in (True, False) if kept.start else (False,):
        with open_container(path) as container:
            stream = find_video_stream(container, path)
            if seeks and (info.joins or not info.has_display_times or not _seek(container, stream, target)):
                continue
            frames = _decode_packets(container, stream, info.joins)
            if not info.has_display_times:
                frames = _time_by_decoding(frames, info.start_pts)
            if seeks:
                first = next((frame for frame in frames if frame is not None), None)
                if first is None or first.pts is None or first.pts > target:
                    continue
                yield first
            yield from frames
            return


def _time_by_decoding(frames: Iterator[VideoFrame | None], start_pts: int) -> Iterator[VideoFrame | None]:
    """Set the times of frames, read from the beginning, to their decoding times less the decoder's delay."""
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


def _decode_packets(
    container: InputContainer, stream: VideoStream, joins: tuple[Join, ...]
) -> Iterator[VideoFrame | None]:
    """Decode to the end of the file; yield None for each damaged packet or frame."""
    stream.thread_type = "AUTO"
    packets = shift_packets(container.demux(stream), joins)
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
