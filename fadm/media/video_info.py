"""The properties of a video file that are known before decoding: times, rate, pixel shape, number of frames."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from av.container import InputContainer
from av.video.stream import VideoStream

from fadm.errors import InputError
from fadm.media.clock import Join, is_broadcast, join_segments, read_segments
from fadm.media.container import find_video_stream, open_container, read_packets
from fadm.media.frames import TimeRange
from fadm.media.image import MAX_PIXELS

_DEFAULT_RATE = Fraction(25)
_RATE_TOLERANCE = Fraction(1, 2)  # frames by which a header's rate may miss the last frame's time


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before decoding.

    Attributes:
        time_base: Unit of pts in seconds.
        rate: Average frames per second.
        start_pts: Time of the first frame in units of the time base.
        pixel_aspect: Width of a pixel divided by its height.
        num_frames: Number of frames, None if unknown.
        has_display_times: Whether packets carry the times at which frames are shown; AVI counts the packets as
            they are stored.
        joins: Where the clock jumps; known once the packets are counted.
    """

    time_base: Fraction
    rate: Fraction
    start_pts: int
    pixel_aspect: Fraction
    num_frames: int | None
    has_display_times: bool
    joins: tuple[Join, ...] = ()


def read_info(container: InputContainer, path: Path) -> VideoInfo:
    """Read the header of an open video.

    Args:
        container: The open file.
        path: Its path, for error messages.

    Returns:
        The properties of the whole video.

    Raises:
        InputError: The file has no video stream, or frames of more than MAX_PIXELS.
    """
    stream = find_video_stream(container, path)
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
    return VideoInfo(time_base, rate, stream.start_time or 0, pixel_aspect, num_frames, has_display_times)


def _count_announced(container: InputContainer, stream: VideoStream) -> int | None:
    """Count the frames that the header announces, present or not.

    An MP4's edit list shows a part of the frames in its header's count; its index marks the others.
    """
    if stream.frames and "mp4" in container.format.name.split(","):
        return sum(not entry.is_discard for entry in stream.index_entries) or None
    return stream.frames or None


def count_frames(path: Path, info: VideoInfo, kept: TimeRange) -> VideoInfo:
    """Count the frames of a part of a video by their packets, without decoding.

    Args:
        path: The video.
        info: The properties from its header.
        kept: The part.

    Returns:
        The same properties with the jumps of the clock, and with the number of frames and the average rate of the
        part. The header's rate stays where it fits the times, and everything stays where fewer than two times are
        known.

    Raises:
        InputError: The file cannot be opened.
    """
    with open_container(path) as container:
        video = find_video_stream(container, path)
        segments = read_segments(
            read_packets(container, video, *container.streams.audio),
            video,
            info.rate,
            is_broadcast=is_broadcast(container.format.name),
            has_display_times=info.has_display_times,
        )
    if not segments:
        return info
    joins = join_segments(segments, info.time_base, info.rate)
    if joins:  # the header's start may be that of another segment
        info = replace(info, joins=joins, start_pts=min(segments[0].times))
    shifts = [0, *(int(join.shift / info.time_base) for join in joins)]
    times = [
        time
        for segment, shift in zip(segments, shifts, strict=True)
        for pts in segment.times
        if (time := (pts + shift - info.start_pts) * info.time_base) in kept
    ]
    if not times or min(times) == max(times):
        return info
    num_intervals, length = len(times) - 1, max(times) - min(times)
    is_constant = abs(num_intervals - length * info.rate) < _RATE_TOLERANCE
    rate = info.rate if is_constant else (num_intervals / length).limit_denominator(1_000_000)
    return replace(info, rate=rate, num_frames=len(times))
