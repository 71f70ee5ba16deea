"""Encoding RGB frames as H.264 or VP9, with exact times, tagged colours and the driver's sound."""

import io
import math
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from av.video.stream import VideoStream

from fadm.media.audio import AudioCopier, AudioTrack
from fadm.media.container import packet_time
from fadm.media.conversion import CONVERSION

_BT709_MATRIX = 1  # AVCOL_SPC_BT709, ITU-T H.273


@dataclass(frozen=True)
class Container:
    """A file format for video.

    Attributes:
        name: FFmpeg's name of the container.
        codec: FFmpeg's name of the video encoder.
        codec_options: Options of the encoder.
        options: Options of the container.
    """

    name: str
    codec: str
    codec_options: dict[str, str]
    options: dict[str, str]


# Without B-frames decoding order is display order, so that no edit list shifts the times.
# Constant quality 17 is visually lossless.
_H264 = {"preset": "superfast", "crf": "17", "bf": "0"}
_VP9 = {"deadline": "realtime", "cpu-used": "7", "row-mt": "1", "crf": "20"}
_INDEX_FIRST = {"movflags": "+faststart"}

CONTAINERS = {
    ".mp4": Container("mp4", "libx264", _H264, _INDEX_FIRST),
    ".m4v": Container("mp4", "libx264", _H264, _INDEX_FIRST),
    ".mov": Container("mov", "libx264", _H264, _INDEX_FIRST),
    # The sound may begin in the middle of a packet; without this the pictures would be moved instead.
    ".mkv": Container("matroska", "libx264", _H264, {"avoid_negative_ts": "disabled"}),
    ".webm": Container("webm", "libvpx-vp9", _VP9, {}),
}


def holds_audio(container: Container, track: AudioTrack) -> bool:
    """Ask FFmpeg whether a container can hold a sound track, by writing the header of a file in memory.

    Args:
        container: The file format.
        track: The sound.

    Returns:
        Whether the track can be copied into it.

    Raises:
        InputError: The track's file cannot be opened.
    """
    output = av.open(io.BytesIO(), "w", format=container.name)
    try:
        AudioCopier(track, output).close()
        output.start_encoding()
        output.close()
    except (ValueError, av.error.FFmpegError):
        return False
    return True


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

    Args:
        path: The file to write.
        container: Its format.
        size: Width and height of the frames in pixels.
        rate: Average frames per second.
        time_base: Unit of the frames' pts in seconds.
        audio: Sound to copy into the file.
        label: Text for the metadata's comment.
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
    ) -> None:
        self._width, self._height = size[0] // 2 * 2, size[1] // 2 * 2
        self._frame_time = 1 / rate
        # In a unit that also divides the average frame, the last frame can make the average rate exact.
        unit = common_unit(time_base, self._frame_time)
        self._num_units = int(time_base / unit)
        self._reformatter = VideoReformatter()
        self._output = av.open(str(path), "w", format=container.name, container_options=container.options)
        if label is not None:
            self._output.metadata["comment"] = label
        stream = self._output.add_stream(
            container.codec,
            rate=rate,
            options=container.codec_options,
            width=self._width,
            height=self._height,
            pix_fmt="yuv420p",
            time_base=unit,
        )
        assert isinstance(stream, VideoStream)
        self._stream = stream
        context = stream.codec_context
        context.color_range = ColorRange.MPEG
        context.colorspace = _BT709_MATRIX
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        self._audio = AudioCopier(audio, self._output) if audio is not None else None
        self._held: Packet | None = None
        self._num_frames = 0

    def write(self, pixels: np.ndarray, pts: int) -> None:
        """Encode one frame.

        Args:
            pixels: uint8 (H, W, 3).
            pts: Time in units of the time base.
        """
        cropped = np.ascontiguousarray(pixels[: self._height, : self._width])
        frame = self._reformatter.reformat(
            VideoFrame.from_ndarray(cropped, format="rgb24"),
            format="yuv420p",
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
            self._audio.copy_until(None)
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
            self._audio.copy_until(packet_time(packet))
        self._output.mux(packet)
