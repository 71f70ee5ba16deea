"""The driver's sound in step with the pictures: copied packet by packet, or encoded again where it must be."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition

from fadm.errors import OptionError
from fadm.media.clock import Join
from fadm.media.container import open_container, packet_time, read_packets
from fadm.media.transcoder import add_encoder, encode_sound

_PREROLL = 1  # seconds before the start to seek to, since sound is rarely indexed exactly


@dataclass(frozen=True)
class AudioTrack:
    """The sound of a part of a video.

    Attributes:
        path: The file that contains the sound.
        codec: FFmpeg's name of its codec, such as `aac`.
        start: Start of the part in seconds on the file's own clock.
        end: End of the part in seconds, exclusive; None for the end of the file.
        number: Number of the track among the file's audio tracks, from 1.
        joins: Where the file's clock jumps; start and end are times of the continuous clock.
    """

    path: Path
    codec: str
    start: Fraction
    end: Fraction | None
    number: int = 1
    joins: tuple[Join, ...] = ()


def find_audio(container: InputContainer, path: Path, start: Fraction, end: Fraction | None) -> AudioTrack | None:
    """Find the sound in a part of an open file.

    Args:
        container: The open file.
        path: Its path.
        start: Start of the part in seconds on the file's own clock.
        end: End of the part in seconds, exclusive; None for the end of the file.

    Returns:
        The track that is marked as the default one, else the first; None if the file has no sound that can be decoded.
    """
    streams = container.streams.audio
    known = [number for number, stream in enumerate(streams, 1) if stream.codec_context is not None]
    marked = [number for number in known if streams[number - 1].disposition & Disposition.default]
    if not known:
        return None
    number = (marked or known)[0]
    return AudioTrack(path, _codec_of(streams[number - 1]), start, end, number)


def choose_track(track: AudioTrack, number: int) -> AudioTrack:
    """Choose another track of the same file.

    Args:
        track: The sound that was found.
        number: Number of the track among the file's audio tracks, from 1.

    Returns:
        The same part of that track.

    Raises:
        InputError: The file cannot be opened any more.
        OptionError: It has no such track, or one in an unknown codec.
    """
    with open_container(track.path) as container:
        streams = container.streams.audio
        if number > len(streams):
            some = "1 audio track" if len(streams) == 1 else f"{len(streams)} audio tracks"
            known = "1" if len(streams) == 1 else f"a number from 1 to {len(streams)}"
            raise OptionError(f"--audio-track {number}: '{track.path}' has {some}; give {known}")
        if streams[number - 1].codec_context is None:
            raise OptionError(
                f"--audio-track {number}: this track of '{track.path}' is in a codec that is not supported; "
                "choose another one or --no-audio"
            )
        return replace(track, number=number, codec=_codec_of(streams[number - 1]))


def describe_sound(track: AudioTrack | None, encoder: str | None) -> str:
    """Say what becomes of a track in an output.

    Args:
        track: The sound, None if there is none.
        encoder: FFmpeg's name of the encoder; None copies the track's packets.

    Returns:
        A few words.
    """
    if track is None:
        return "none"
    return f"{track.codec}, " + ("copied" if encoder is None else f"encoded again as {encoder.removeprefix('lib')}")


def _codec_of(stream: AudioStream) -> str:
    return stream.codec_context.codec.canonical_name


class AudioWriter:
    """Writes a track into an open output file; built before the output's first packet is written.

    Args:
        track: The sound.
        output: The open output; it gets one more stream.
        encoder: FFmpeg's name of the encoder; None copies the track's packets.

    Raises:
        InputError: The track's file cannot be opened any more.
        ValueError: The output's container cannot hold the codec.
    """

    def __init__(self, track: AudioTrack, output: OutputContainer, encoder: str | None = None) -> None:
        self._output = output
        with ExitStack() as stack:
            container = stack.enter_context(open_container(track.path))
            stream = container.streams.audio[track.number - 1]
            if encoder is None:
                self._stream = output.add_stream_from_template(stream)
                self._packets = _cut_packets(container, stream, track)
            else:
                self._stream = add_encoder(output, stream, encoder)
                frames = _decode(container, stream, track)
                self._packets = encode_sound(frames, self._stream, track.start, track.end)
            self._next = next(self._packets, None)
            self._stack = stack.pop_all()

    def write_until(self, time: Fraction | None) -> None:
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


def _seek(container: InputContainer, stream: AudioStream, track: AudioTrack) -> None:
    """Go to a place before the track's start."""
    assert stream.time_base is not None
    target = round((track.start - _PREROLL) / stream.time_base)
    if target > (stream.start_time or 0) and not track.joins:
        with suppress(av.error.FFmpegError):  # a format without an index is read from its beginning
            container.seek(target, stream=stream)


def _decode(container: InputContainer, stream: AudioStream, track: AudioTrack) -> Iterator[AudioFrame]:
    """Decode from before the track's start on; what is damaged is left out."""
    _seek(container, stream, track)
    for packet in read_packets(container, stream, joins=track.joins):
        with suppress(av.error.FFmpegError):
            yield from stream.codec_context.decode(packet)


def _cut_packets(container: InputContainer, stream: AudioStream, track: AudioTrack) -> Iterator[Packet]:
    """Yield the track's packets, timed from its start; damaged sound ends where it cannot be read."""
    assert stream.time_base is not None
    origin = round(track.start / stream.time_base)
    end = None if track.end is None else track.end / stream.time_base
    last_dts = None
    _seek(container, stream, track)
    for packet in read_packets(container, stream, joins=track.joins):
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
