"""Decoded video frames to upright BT.709 pixels: colour matrix and range, primaries and transfer, size, turn."""

import struct

import numpy as np
from av.buffer import Buffer
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from fadm.media.tone_mapping import explain_unknown, map_to_bt709, needs_mapping

# swscale's default is off by one grey level on average; with these flags the error has no bias.
CONVERSION = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)

_MATRICES = (0, 1, 4, 5, 6, 7, 9)  # those of ITU-T H.273 that swscale converts
_UNKNOWN_MATRICES = {
    8: "YCgCo",
    10: "BT.2020 constant luminance",
    11: "SMPTE ST 2085",
    13: "chromaticity-derived constant luminance",
    14: "ICtCp",
    15: "IPT-C2",
    16: "YCgCo-Re",
    17: "YCgCo-Ro",
}
_BT709, _UNSPECIFIED, _BT601, _BT2020 = 1, 2, 6, 9
_MAX_STANDARD_DEFINITION_HEIGHT = 576


def explain_colours(frame: VideoFrame) -> str | None:
    """Name a frame's colours if they cannot be converted to BT.709.

    Args:
        frame: A decoded frame.

    Returns:
        What they are; None if `convert_frame` converts them.
    """
    if frame.colorspace in _UNKNOWN_MATRICES:
        return f"the {_UNKNOWN_MATRICES[frame.colorspace]} matrix"
    if _is_dolby_vision_alone(frame):
        return "Dolby Vision without a base layer for other displays"
    return explain_unknown(frame.color_primaries, frame.color_trc)


def _is_dolby_vision_alone(frame: VideoFrame) -> bool:
    """Recognize profile 5, whose pixels have no meaning without its metadata: their colours are unspecified."""
    if frame.color_trc != _UNSPECIFIED or frame.format.components[0].bits <= 8:
        return False
    return any(find_side_data(frame, kind) is not None for kind in ("DOVI_METADATA", "DOVI_RPU_BUFFER"))


def convert_frame(frame: VideoFrame, size: tuple[int, int], reformatter: VideoReformatter) -> np.ndarray:
    """Convert a decoded frame to RGB by its own matrix and range, scale it, and turn it upright.

    HDR and wide gamut are mapped to BT.709 (see `map_to_bt709`).

    Args:
        frame: A frame that `explain_colours` does not name; without a known matrix it counts as BT.601 up to 576
            lines and as BT.709 above, as in players, and with BT.2020's primaries as BT.2020.
        size: Width and height in pixels before the turn.
        reformatter: Converter to reuse from frame to frame.

    Returns:
        uint8 (H, W, 3).
    """
    primaries, transfer = frame.color_primaries, frame.color_trc
    is_mapped = needs_mapping(primaries, transfer)
    if frame.colorspace not in _MATRICES:
        is_high = frame.height > _MAX_STANDARD_DEFINITION_HEIGHT
        frame.colorspace = _BT2020 if primaries == _BT2020 else _BT709 if is_high else _BT601
    rgb = reformatter.reformat(
        frame,
        width=size[0],
        height=size[1],
        format="rgb48le" if is_mapped else "rgb24",
        interpolation=CONVERSION,
        threads=1,
    )
    pixels = rgb.to_ndarray()
    if is_mapped:
        pixels = map_to_bt709(pixels.astype(np.uint16, copy=False), primaries, transfer)
    return np.ascontiguousarray(_turn_upright(pixels, frame))


def find_side_data(frame: VideoFrame, kind: str) -> bytes | None:
    """Find what goes with a frame besides its pixels.

    Args:
        frame: A decoded frame.
        kind: PyAV's name of it.

    Returns:
        Its bytes, None if the frame has none.
    """
    try:
        data = frame.side_data.get(kind)
    except ValueError:  # PyAV fails on all where one, such as EXIF, is newer than its list
        return None
    return bytes(data) if isinstance(data, Buffer) else None


def _turn_upright(pixels: np.ndarray, frame: VideoFrame) -> np.ndarray:
    """Apply the display matrix, one of the eight turns and mirrorings by right angles.

    The matrix (a b u; c d v; x y w) means x' = a x + c y, y' = b x + d y (ISO/IEC 14496-12, 8.2.2).
    """
    matrix = find_side_data(frame, "DISPLAYMATRIX")
    if matrix is None:
        return np.rot90(pixels, round(frame.rotation / 90))
    a, b, _, c, d = struct.unpack("=5i", matrix[:20])
    if abs(a) >= abs(b):
        x_from, y_from = a, d
    else:
        pixels = pixels.transpose(1, 0, 2)
        x_from, y_from = c, b
    return pixels[:: -1 if y_from < 0 else 1, :: -1 if x_from < 0 else 1]
