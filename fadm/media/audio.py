"""The driver's sound, copied packet by packet without encoding it again, in step with the pictures."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from fadm.media.container import find_audio_stream, open_container, packet_time, read_packets

_PREROLL = 1  # seconds before the start to seek to, since sound is rarely indexed exactly


@dataclass(frozen=True)
class AudioTrack:
    """The sound of a part of a video.

    Attributes:
        path: The file that contains the sound.
        codec: FFmpeg's name of its codec, such as `aac`.
        start: Start of the part in seconds on the file's own clock.
        end: End of the part in seconds, exclusive; None for the end of the file.
    """

    path: Path
    codec: str
    start: Fraction
    end: Fraction | None


def find_audio(container: InputContainer, path: Path, start: Fraction, end: Fraction | None) -> AudioTrack | None:
    """Find the sound in a part of an open file.

    Args:
        container: The open file.
        path: Its path.
        start: Start of the part in seconds on the file's own clock.
        end: End of the part in seconds, exclusive; None for the end of the file.

    Returns:
        The track, None if the file has no sound.
    """
    stream = find_audio_stream(container)
    return None if stream is None else AudioTrack(path, stream.codec_context.codec.canonical_name, start, end)


class AudioCopier:
    """Copies a track into an open output file; built before the output's first packet is written.

    Args:
        track: The sound to copy.
        output: The open output; it gets one more stream.

    Raises:
        InputError: The track's file cannot be opened any more.
        ValueError: The output's container cannot hold the codec.
    """

    def __init__(self, track: AudioTrack, output: OutputContainer) -> None:
        self._output = output
        with ExitStack() as stack:
            container = stack.enter_context(open_container(track.path))
            stream = find_audio_stream(container)
            assert stream is not None
            self._stream = output.add_stream_from_template(stream)
            self._packets = _cut_packets(container, stream, track)
            self._next = next(self._packets, None)
            self._stack = stack.pop_all()

    def copy_until(self, time: Fraction | None) -> None:
        """Write the packets that begin at or before a time.

        Args:
            time: Seconds from the track's start; None writes all the rest.
        """
        while self._next is not None:
            if time is not None and packet_time(self._next) > time:
                return
            self._next.stream = self._stream
            self._output.mux(self._next)
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Close the file that the sound is read from."""
        self._stack.close()


def _cut_packets(container: InputContainer, stream: AudioStream, track: AudioTrack) -> Iterator[Packet]:
    """Yield the track's packets, timed from its start; damaged sound ends where it cannot be read."""
    assert stream.time_base is not None
    origin = round(track.start / stream.time_base)
    end = None if track.end is None else track.end / stream.time_base
    preroll = round(_PREROLL / stream.time_base)
    last_dts = None
    if origin - preroll > (stream.start_time or 0):
        with suppress(av.error.FFmpegError):  # a format without an index is read from its beginning
            container.seek(origin - preroll, stream=stream)
    for packet in read_packets(container, stream):
        if packet.pts is None or packet.dts is None or (last_dts is not None and packet.dts <= last_dts):
            continue
        # A packet that ends at the start is kept too: the decoder overlaps it with the first one heard.
        if packet.pts + (packet.duration or 0) < origin:
            continue
        if end is not None and packet.pts >= end:
            return
        last_dts = packet.dts
        packet.pts -= origin
        packet.dts -= origin
        yield packet
