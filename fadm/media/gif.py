"""Writing RGB frames as an animated GIF, each with its own palette."""

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from fadm.media.container import packet_time

_TICK = Fraction(1, 100)  # GIF89a counts delays in hundredths of a second
_SHORTEST = 2  # browsers slow shorter delays down to a tenth of a second
_TRAILER = b";"
_COMMENT = b"!\xfe"


class GifEncoder:
    """Writes one GIF that repeats for ever.

    Each time is rounded to hundredths of a second by itself, so rounding errors never add up. A frame less
    than 0.02 s after the previous one is left out.

    Args:
        path: The file to write.
        size: Width and height in pixels.
        rate: Average frames per second.
        time_base: Unit of the frames' pts in seconds.
        label: Text for the GIF's comment.
    """

    def __init__(
        self, path: Path, size: tuple[int, int], rate: Fraction, time_base: Fraction, label: str | None
    ) -> None:
        self._path = path
        self._rate = rate
        self._time_base = time_base
        self._label = label
        self._output = av.open(str(path), "w", format="gif")
        stream = self._output.add_stream(
            "gif", rate=rate, width=size[0], height=size[1], pix_fmt="pal8", time_base=_TICK
        )
        assert isinstance(stream, VideoStream)
        self._stream = stream
        self._held: Packet | None = None
        self._num_frames = 0
        self._next_tick = 0

    def write(self, pixels: np.ndarray, pts: int) -> None:
        """Encode one frame.

        Args:
            pixels: uint8 (H, W, 3).
            pts: Time in units of the time base.
        """
        self._num_frames += 1
        tick = round(pts * self._time_base / _TICK)
        if tick < self._next_tick:
            return
        self._next_tick = tick + _SHORTEST
        frame = VideoFrame.from_ndarray(_quantize(pixels), format="pal8")  # type: ignore[arg-type]
        frame.pts = tick
        for packet in self._stream.encode(frame):
            self._hold(packet)

    def close(self) -> None:
        """Finish the file; the last frame lasts until the average rate is exact."""
        if self._held is not None:
            rest = self._num_frames / self._rate - packet_time(self._held)
            self._held.duration = max(round(rest / _TICK), _SHORTEST)
            self._output.mux(self._held)
        self._output.close()
        if self._label is not None:
            _add_comment(self._path, self._label)

    def abort(self) -> None:
        """Close the file unfinished."""
        with suppress(av.error.FFmpegError):
            self._output.close()

    def _hold(self, packet: Packet) -> None:
        if self._held is not None:
            self._output.mux(self._held)
        self._held = packet


def _quantize(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Choose 256 colours by an octree: uint8 (H, W, 3) -> dithered indices (H, W), ARGB palette (256, 4)."""
    picture = Image.fromarray(pixels)
    chosen = picture.quantize(256, method=Image.Quantize.FASTOCTREE)
    indices = picture.quantize(palette=chosen, dither=Image.Dither.FLOYDSTEINBERG)
    colours = np.array(indices.getpalette(), np.uint8).reshape(-1, 3)
    palette = np.full((256, 4), 255, np.uint8)
    palette[: len(colours), 1:] = colours
    return np.asarray(indices), palette


def _add_comment(path: Path, text: str) -> None:
    """Insert a comment extension before the trailer of a GIF (GIF89a, section 24)."""
    data = text.encode()
    with path.open("r+b") as file:
        file.seek(-len(_TRAILER), 2)
        file.write(_COMMENT)
        for start in range(0, len(data), 255):
            block = data[start : start + 255]
            file.write(bytes([len(block)]) + block)
        file.write(b"\0" + _TRAILER)
