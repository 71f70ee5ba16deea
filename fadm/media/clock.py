"""Clocks that jump, as those of joined recordings do: where they jump, and the times made continuous."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame

# A clock jumps if it goes back by more than this many seconds and average frames, ...
_BACK = (Fraction(1, 10), 3)
# ... or, in a format made for broadcasts, leaves out as much; elsewhere a picture may stand for long.
_FORTH = (Fraction(2), 10)
_BROADCAST_FORMATS = ("mpegts", "mpeg")


@dataclass(frozen=True)
class Join:
    """A place at which the clock of a file jumps.

    Attributes:
        position: Byte of the file from which on the times are shifted.
        shift: Seconds to add to the file's own times.
    """

    position: int
    shift: Fraction


@dataclass
class Segment:
    """The video packets between two jumps.

    Attributes:
        position: Byte of the file at which they begin.
        times: Their times in units of the stream's time base.
        last_position: Byte at which the last of them begins.
    """

    position: int
    times: list[int] = field(default_factory=list)
    last_position: int = 0


def read_segments(
    packets: Iterable[Packet], video: Stream, rate: Fraction, *, is_broadcast: bool, has_display_times: bool
) -> list[Segment]:
    """Divide the packets of a file where its clock jumps.

    Args:
        packets: The packets of the video stream and of the sound that goes with it.
        video: The video stream.
        rate: Average frames per second.
        is_broadcast: Whether the clock also jumps where it leaves out more than two seconds.
        has_display_times: Whether to collect the times of display; else those of decoding.

    Returns:
        The segments; each begins with the first packet of either stream after the jump.
    """
    segments, last_times = [Segment(0)], dict[int, Fraction]()
    sound_jumps: list[int] = []
    position = 0
    for packet in packets:
        position = position if packet.pos is None else packet.pos
        if packet.dts is not None:
            time = packet.dts * packet.time_base
            last = last_times.get(packet.stream_index, time)
            last_times[packet.stream_index] = time
            if _jumps(time - last, rate, is_broadcast):
                if packet.stream_index == video.index:
                    after = segments[-1].last_position
                    segments.append(Segment(min([position, *(p for p in sound_jumps if after < p)])))
                    sound_jumps.clear()
                else:
                    sound_jumps.append(position)
        pts = packet.pts if has_display_times else packet.dts
        if packet.stream_index == video.index and pts is not None and not packet.is_discard:
            segments[-1].times.append(pts)
            segments[-1].last_position = position
    return [segment for segment in segments if segment.times]


def _jumps(step: Fraction, rate: Fraction, is_broadcast: bool) -> bool:
    (back, back_frames), (forth, forth_frames) = _BACK, _FORTH
    return -step > max(back, back_frames / rate) or (is_broadcast and step > max(forth, forth_frames / rate))


def is_broadcast(format_name: str) -> bool:
    """Tell whether a format is made for broadcasts, whose recordings are joined without new times.

    Args:
        format_name: FFmpeg's name of the format.

    Returns:
        Whether it is an MPEG transport or programme stream.
    """
    return format_name in _BROADCAST_FORMATS


def join_segments(segments: list[Segment], time_base: Fraction, rate: Fraction) -> tuple[Join, ...]:
    """Let each segment begin one average frame after the end of the one before.

    Args:
        segments: At least one segment.
        time_base: Unit of their times in seconds.
        rate: Average frames per second, for segments of one frame.

    Returns:
        A join for each segment but the first.
    """
    joins: list[Join] = []
    shift = 0
    for before, after in pairwise(segments):
        first, last = min(before.times), max(before.times)
        intervals = len(before.times) - 1
        frame = round((last - first) / intervals) if intervals else round(1 / (rate * time_base))
        shift += last + max(frame, 1) - min(after.times)
        joins.append(Join(after.position, shift * time_base))
    return tuple(joins)


def shift_packets(packets: Iterable[Packet], joins: tuple[Join, ...]) -> Iterator[Packet]:
    """Make the times of packets continuous.

    Args:
        packets: Packets of one stream in the order of the file.
        joins: Where the clock jumps, in the order of the file.

    Yields:
        The same packets.
    """
    positions, position = [join.position for join in joins], 0
    for packet in packets:
        position = position if packet.pos is None else packet.pos
        number = bisect_right(positions, position)
        if number:
            shift = round(joins[number - 1].shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + shift
            packet.dts = None if packet.dts is None else packet.dts + shift
        yield packet


def order_frames(
    frames: Iterable[VideoFrame | None], start_pts: int, frame_time: int
) -> Iterator[tuple[int, VideoFrame] | None]:
    """Give each frame a time after that of the one before.

    A frame without a time (raw streams), or after a clock that goes back for good, comes one average frame after
    the last; one that repeats a time, or is a little early, comes one unit after it, so that no later one is moved.

    Args:
        frames: Decoded frames in the order of display, None for a damaged one.
        start_pts: Time of a first frame that has none.
        frame_time: Length of an average frame in units of the time base.

    Yields:
        The time and the frame, None for a damaged one.
    """
    last, shift = None, 0
    for frame in frames:
        if frame is None:
            yield None
            continue
        pts = (start_pts if last is None else last + frame_time) if frame.pts is None else frame.pts + shift
        if last is not None and pts <= last:
            goes_back = last - pts > _BACK[1] * frame_time
            later = last + frame_time if goes_back else last + 1
            shift += later - pts if goes_back else 0
            pts = later
        last = pts
        yield pts, frame
