"""A video or sound file opened with PyAV, and the streams in it that are used."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from fadm.errors import InputError
from fadm.media.clock import Join, shift_packets

_TEXT_FORMAT = "tty"  # FFmpeg's reader that draws any text file as a video


@contextmanager
def open_container(path: Path) -> Iterator[InputContainer]:
    """Open a media file for reading.

    Args:
        path: A video, animation or sound file.

    Yields:
        The open PyAV container, closed when the block ends.

    Raises:
        InputError: The file is missing, empty, damaged or no media file.
    """
    try:
        # An absolute path cannot be taken for a protocol ("a:b.mp4"), and a playlist reaches no network.
        container = av.open(
            str(path.absolute()), container_options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(
            f"'{path}' cannot be read as a video ({error.strerror}): it is no video, or cut off, or damaged; "
            "give a video, a GIF, a picture or a folder of pictures"
        ) from error
    with container:
        if container.format.name == _TEXT_FORMAT:
            raise InputError(f"'{path}' is a text file; give a video, a GIF, a picture or a folder of pictures")
        yield container


def find_video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Find the first video stream that can be decoded; cover pictures do not count.

    Args:
        container: The open file.
        path: Its path, for error messages.

    Returns:
        The stream.

    Raises:
        InputError: The file has no video stream, or none in a known codec.
    """
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise InputError(f"'{path}' holds no video stream; give a video, a GIF, a picture or a folder of pictures")
    for stream in streams:
        if stream.codec_context is not None:
            return stream
    raise InputError(f"'{path}' holds video in a codec that is not supported; convert it to H.264 first")


def read_packets(container: InputContainer, *streams: Stream, joins: tuple[Join, ...] = ()) -> Iterator[Packet]:
    """Read the packets of streams up to the end of the file, or to where the file is damaged.

    Args:
        container: The open file.
        *streams: Some of its streams.
        joins: Where its clock jumps; the times are made continuous.

    Yields:
        The packets in the order of the file.
    """
    with suppress(av.error.FFmpegError):
        yield from shift_packets(container.demux(*streams), joins)


def packet_time(packet: Packet) -> Fraction:
    """Compute when a packet is shown or heard.

    Args:
        packet: A packet with a presentation time.

    Returns:
        The time in seconds, exactly, on the file's own clock.
    """
    assert packet.pts is not None
    return packet.pts * packet.time_base
