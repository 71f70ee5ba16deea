"""Decoded video frames to upright RGB pixels: colour matrix and range, size, display matrix."""

import struct

import numpy as np
from av.buffer import Buffer
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

# swscale's default is off by one grey level on average; with these flags the error has no bias.
CONVERSION = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)

_MATRICES = (0, 1, 4, 5, 6, 7, 9)  # those of ITU-T H.273 that swscale converts
_BT709, _BT601 = 1, 6
_MAX_STANDARD_DEFINITION_HEIGHT = 576


def convert_frame(frame: VideoFrame, size: tuple[int, int], reformatter: VideoReformatter) -> np.ndarray:
    """Convert a decoded frame to RGB by its own matrix and range, scale it, and turn it upright.

    Args:
        frame: The frame; without a known matrix it counts as BT.601 up to 576 lines and as BT.709 above, as
            in players.
        size: Width and height in pixels before the turn.
        reformatter: Converter to reuse from frame to frame.

    Returns:
        uint8 (H, W, 3).
    """
    if frame.colorspace not in _MATRICES:
        frame.colorspace = _BT709 if frame.height > _MAX_STANDARD_DEFINITION_HEIGHT else _BT601
    rgb = reformatter.reformat(
        frame,
        width=size[0],
        height=size[1],
        format="rgb24",
        interpolation=CONVERSION,
        threads=1,
    )
    return np.ascontiguousarray(_turn_upright(rgb.to_ndarray(), frame))


def _turn_upright(pixels: np.ndarray, frame: VideoFrame) -> np.ndarray:
    """Apply the display matrix, one of the eight turns and mirrorings by right angles.

    The matrix (a b u; c d v; x y w) means x' = a x + c y, y' = b x + d y (ISO/IEC 14496-12, 8.2.2).
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(matrix, Buffer):
        return pixels
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    if abs(a) >= abs(b):
        x_from, y_from = a, d
    else:
        pixels = pixels.transpose(1, 0, 2)
        x_from, y_from = c, b
    return pixels[:: -1 if y_from < 0 else 1, :: -1 if x_from < 0 else 1]
