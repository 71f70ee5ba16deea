"""Encoding RGB frames as H.264, VP9 or, with alpha, ProRes: exact times, tagged colours and the driver's sound."""

import io
import math
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from av.video.stream import VideoStream

from fadm.media.audio import AudioTrack, AudioWriter, describe_sound
from fadm.media.container import packet_time
from fadm.media.conversion import CONVERSION

_BT709_MATRIX = 1  # AVCOL_SPC_BT709, ITU-T H.273


@dataclass(frozen=True)
class VideoCodec:
    """A way to encode pictures.

    Attributes:
        name: FFmpeg's name of the encoder.
        pixel_format: FFmpeg's name of the pixel format.
        options: Options of the encoder.
    """

    name: str
    pixel_format: str
    options: dict[str, str]


@dataclass(frozen=True)
class Container:
    """A file format for video.

    Attributes:
        name: FFmpeg's name of the container.
        codec: Encodes pictures.
        sound: FFmpeg's name of the encoder for sound that cannot be copied into it.
        options: Options of the container.
        alpha: Encodes pictures with alpha; None where no common codec of the container can.
        is_wrapped: It is written through FFmpeg's `tee`, as PyAV asks a container for a list of codecs, on which some
            are missing that it can hold.
    """

    name: str
    codec: VideoCodec
    sound: str
    options: dict[str, str]
    alpha: VideoCodec | None = None
    is_wrapped: bool = False


# Without B-frames decoding order is display order, so that no edit list shifts the times.
# Constant quality 17 is visually lossless.
_H264 = VideoCodec("libx264", "yuv420p", {"preset": "superfast", "crf": "17", "bf": "0"})
_FAST_VP9 = {"deadline": "realtime", "cpu-used": "7", "row-mt": "1", "crf": "20"}
_VP9 = VideoCodec("libvpx-vp9", "yuv420p", _FAST_VP9)
_VP9_ALPHA = VideoCodec("libvpx-vp9", "yuva420p", {**_FAST_VP9, "auto-alt-ref": "0"})
_PRORES_ALPHA = VideoCodec("prores_ks", "yuva444p10le", {"profile": "4444"})
_INDEX_FIRST = {"movflags": "+faststart"}

CONTAINERS = {
    ".mp4": Container("mp4", _H264, "aac", _INDEX_FIRST),
    ".m4v": Container("mp4", _H264, "aac", _INDEX_FIRST),
    ".mov": Container("mov", _H264, "aac", _INDEX_FIRST, _PRORES_ALPHA),
    # The sound may begin in the middle of a packet; without this the pictures would be moved instead.
    ".mkv": Container("matroska", _H264, "aac", {"avoid_negative_ts": "disabled"}),
    ".webm": Container("webm", _VP9, "libopus", {}, _VP9_ALPHA),
}
_MANY_CODECS = ("matroska",)  # hold more codecs than they list


def fit_sound(container: Container, track: AudioTrack) -> tuple[Container, str | None]:
    """Choose how a sound track gets into a container: as it is, wherever that is possible.

    Args:
        container: The file format.
        track: The sound.

    Returns:
        The container, wrapped where only that takes the sound as it is, and FFmpeg's name of the encoder for the
        sound, None to copy it.

    Raises:
        InputError: The track's file cannot be opened.
    """
    if _takes_sound(container, track):
        return container, None
    wrapped = replace(container, is_wrapped=True)
    if container.name in _MANY_CODECS and _takes_sound(wrapped, track):
        return wrapped, None
    return container, container.sound


def _takes_sound(container: Container, track: AudioTrack) -> bool:
    """Ask FFmpeg whether a container can hold a track as it is, by writing a file's header to nowhere."""
    output = _open_output(container, None)
    try:
        AudioWriter(track, output).close()
        output.start_encoding()
        output.close()
    except (ValueError, av.error.FFmpegError):
        return False
    return True


def _open_output(container: Container, path: Path | None) -> OutputContainer:
    if not container.is_wrapped:
        if path is None:
            return av.open(io.BytesIO(), "w", format=container.name)
        return av.open(str(path), "w", format=container.name, container_options=container.options)
    options = ":".join(f"{key}={value}" for key, value in {"f": container.name, **container.options}.items())
    name = os.devnull if path is None else str(path)
    escaped = "".join(f"\\{c}" if c in "\\'|" or c.isspace() else c for c in name)
    return av.open(f"[{options}]{escaped}", "w", format="tee")


def common_unit(a: Fraction, b: Fraction) -> Fraction:
    """Find the largest unit of time that divides two durations.

    Args:
        a: A duration in seconds.
        b: A duration in seconds.

    Returns:
        The unit in seconds; `a` where the unit is too fine for a file's header.
    """
    numerator = math.gcd(a.numerator * b.denominator, b.numerator * a.denominator)
    unit = Fraction(numerator, a.denominator * b.denominator)
    return unit if unit.denominator < 2**31 else a


class VideoEncoder:
    """Writes one video file; 4:2:0 needs even sizes, so an odd last row or column is dropped.

    MP4 and MOV keep the times exactly, Matroska and WebM round them to milliseconds.

    Attributes:
        size: Width and height of the written frames in pixels.
        sound: What became of the sound, in a few words.

    Args:
        path: The file to write.
        container: Its format.
        size: Width and height of the frames in pixels.
        rate: Average frames per second.
        time_base: Unit of the frames' pts in seconds.
        audio: Sound of the file.
        label: Text for the metadata's comment.
        has_alpha: The frames have alpha, and the container a codec for it.
    """

    def __init__(
        self,
        path: Path,
        container: Container,
        size: tuple[int, int],
        rate: Fraction,
        time_base: Fraction,
        audio: AudioTrack | None,
        label: str | None,
        has_alpha: bool = False,
    ) -> None:
        self.size = self._width, self._height = size[0] // 2 * 2, size[1] // 2 * 2
        self._given_format = "rgba" if has_alpha else "rgb24"
        codec = container.alpha if has_alpha else container.codec
        assert codec is not None, container
        self._pixel_format = codec.pixel_format
        self._frame_time = 1 / rate
        # In a unit that also divides the average frame, the last frame can make the average rate exact.
        unit = common_unit(time_base, self._frame_time)
        self._num_units = int(time_base / unit)
        self._reformatter = VideoReformatter()
        encoder: str | None = None
        if audio is not None:
            container, encoder = fit_sound(container, audio)
        self._output = _open_output(container, path)
        if label is not None:
            self._output.metadata["comment"] = label
        stream = self._output.add_stream(
            codec.name,
            rate=rate,
            options=codec.options,
            width=self._width,
            height=self._height,
            pix_fmt=codec.pixel_format,
            time_base=unit,
        )
        assert isinstance(stream, VideoStream)
        self._stream = stream
        context = stream.codec_context
        context.color_range = ColorRange.MPEG
        context.colorspace = _BT709_MATRIX
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        context.flags |= Flags.global_header  # all these containers have one; `tee` does not ask for it
        self._audio = AudioWriter(audio, self._output, encoder) if audio is not None else None
        self.sound = describe_sound(audio, encoder)
        self._held: Packet | None = None
        self._num_frames = 0

    def write(self, pixels: np.ndarray, pts: int) -> None:
        """Encode one frame.

        Args:
            pixels: uint8 (H, W, 3), or (H, W, 4) with alpha.
            pts: Time in units of the time base.
        """
        cropped = np.ascontiguousarray(pixels[: self._height, : self._width])
        frame = self._reformatter.reformat(
            VideoFrame.from_ndarray(cropped, format=self._given_format),
            format=self._pixel_format,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=CONVERSION,
            threads=1,
        )
        frame.pts = pts * self._num_units
        self._num_frames += 1
        for packet in self._stream.encode(frame):
            self._hold(packet)

    def close(self) -> None:
        """Finish the file; the last frame lasts until the average rate is exact."""
        for packet in self._stream.encode(None):
            self._hold(packet)
        if self._held is not None:
            rest = self._num_frames * self._frame_time - packet_time(self._held)
            self._mux(self._held, rest if rest > 0 else self._frame_time)
        if self._audio is not None:
            self._audio.write_until(None)
            self._audio.close()
        self._output.close()

    def abort(self) -> None:
        """Close the files unfinished."""
        if self._audio is not None:
            self._audio.close()
        with suppress(av.error.FFmpegError):
            self._output.close()

    def _hold(self, packet: Packet) -> None:
        # A packet is written when the next one tells how long it lasts.
        if self._held is not None:
            self._mux(self._held, packet_time(packet) - packet_time(self._held))
        self._held = packet

    def _mux(self, packet: Packet, duration: Fraction) -> None:
        packet.duration = max(round(duration / packet.time_base), 1)
        # Sound goes in step with the pictures, or the muxer would keep one in memory until the other comes.
        if self._audio is not None:
            self._audio.write_until(packet_time(packet))
        self._output.mux(packet)
