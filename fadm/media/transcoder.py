"""Sound encoded again, sample by sample in step with the pictures, for outputs that cannot take it as it is."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
from av import AudioResampler
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.codec import Codec
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from numpy.typing import NDArray

Samples = NDArray[np.float32]

_FORMAT = "fltp"  # a row of float32 samples for each channel
_USUAL_RATE = 48000
_BITS_PER_CHANNEL = {"aac": 96_000, "libopus": 64_000}  # per second; transparent for speech and most music
_SURROUND = ("5.1",)  # for layouts with the same loudspeakers elsewhere, which not all encoders know
_TOLERANCE = Fraction(1, 50)  # seconds of lag that are mended; files that count milliseconds jitter by less


def add_encoder(output: OutputContainer, template: AudioStream, codec: str) -> AudioStream:
    """Add a stream to an output that is encoded with the rate and channels of another, as far as the codec can.

    Args:
        output: The open output.
        template: The stream that is encoded again.
        codec: FFmpeg's name of the encoder.

    Returns:
        The new stream.
    """
    rates = Codec(codec, "w").audio_rates or [_USUAL_RATE]
    rate = template.rate if template.rate in rates else _USUAL_RATE
    layouts: tuple[str, ...] = ("mono",) if template.channels == 1 else ("stereo",)
    if template.channels > 2:
        layouts = (template.layout.name, *_SURROUND, *layouts)
    layout = next(name for name in layouts if _is_able(codec, rate, name))
    stream = output.add_stream(codec, rate=rate, layout=layout)
    assert isinstance(stream, AudioStream)
    stream.bit_rate = _BITS_PER_CHANNEL[codec] * stream.channels
    return stream


def _is_able(codec: str, rate: int, layout: str) -> bool:
    context = AudioCodecContext.create(codec, "w")
    assert isinstance(context, AudioCodecContext)
    formats = context.codec.audio_formats or []
    try:
        context.format, context.sample_rate, context.layout = formats[0], rate, AudioLayout(layout)
        context.open()
    except (FFmpegError, ValueError):
        return False
    return True


def encode_sound(
    frames: Iterable[AudioFrame], stream: AudioStream, start: Fraction, end: Fraction | None
) -> Iterator[Packet]:
    """Encode the part of a sound track between two times; silence fills its gaps.

    Args:
        frames: The decoded track, from the start or earlier on.
        stream: The output's stream, as `add_encoder` makes it.
        start: Start of the part in seconds on the frames' clock.
        end: End of the part in seconds, exclusive; None for the end of the track.

    Yields:
        Packets timed from the start.
    """
    position = 0
    length = None if end is None else round((end - start) * stream.rate)
    for samples in _join(_resample(frames, stream), round(start * stream.rate), stream.rate):
        kept = samples[:, : None if length is None else length - position]
        if not kept.shape[1]:
            break
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(kept), format=_FORMAT, layout=stream.layout.name)
        frame.sample_rate, frame.time_base, frame.pts = stream.rate, Fraction(1, stream.rate), position
        position += kept.shape[1]
        yield from stream.encode(frame)
    if position:
        yield from stream.encode(None)


def _resample(frames: Iterable[AudioFrame], stream: AudioStream) -> Iterator[tuple[int | None, Samples]]:
    """Yield the number of the first sample and samples (C, N) at the stream's rate; a track may change in between."""
    known, resampler = None, AudioResampler()
    for frame in frames:
        given = (frame.format.name, frame.layout.name, frame.sample_rate)
        if given != known:
            known, resampler = given, AudioResampler(_FORMAT, stream.layout, stream.rate)
        for piece in resampler.resample(frame):
            first = None if piece.time is None else round(piece.time * stream.rate)
            yield first, piece.to_ndarray().astype(np.float32, copy=False)
    for piece in resampler.resample(None):
        yield None, piece.to_ndarray().astype(np.float32, copy=False)


def _join(pieces: Iterable[tuple[int | None, Samples]], origin: int, rate: int) -> Iterator[Samples]:
    """Yield samples (C, N) without gaps or overlaps from the sample `origin` on."""
    position, is_begun = origin, False
    for first, samples in pieces:
        lag = 0 if first is None else first - position
        if lag > 0 and (not is_begun or lag > _TOLERANCE * rate):
            yield np.zeros((len(samples), lag), np.float32)
            position += lag
        elif lag < 0 and (not is_begun or -lag > _TOLERANCE * rate):
            samples = samples[:, -lag:]
        if samples.shape[1]:
            is_begun = True
            position += samples.shape[1]
            yield samples
