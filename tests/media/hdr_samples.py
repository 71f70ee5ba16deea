"""Pictures and tiny videos in BT.2020, of high dynamic range or not, for the tests."""

from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame

PQ, HLG = 16, 18  # transfer functions, ITU-T H.273


def to_bt2100(pixels: np.ndarray, transfer: int, *, is_light: bool = False) -> np.ndarray:
    """Convert 8-bit BT.709 pixels, or light, to BT.2020 code values in [0, 1]; white is 203 cd/m2 in PQ and HLG."""
    light = pixels if is_light else (pixels / 255) ** 2.4
    light = light @ np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]).T
    if transfer == PQ:
        power = (light * 203 / 10_000) ** (2610 / 16384)
        return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    if transfer == HLG:
        display = light * 203 / 1000
        luminance = np.maximum(display @ [0.2627, 0.6780, 0.0593], 1e-9)[..., None]
        scene = display * luminance ** (1 / 1.2 - 1)
        logarithm = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        return np.where(scene <= 1 / 12, np.sqrt(3 * scene), logarithm)
    return light ** (1 / 2.4)


def make_bt2020_video(
    path: Path,
    pixels: np.ndarray,
    transfer: int,
    codec: str = "libx265",
    *,
    matrix: int = 9,
    primaries: int = 9,
    pixel_format: str = "yuv420p10le",
    options: dict[str, str] | None = None,
) -> Path:
    """Encode BT.709 pixels as a BT.2020 video of one picture, for white of 203 cd/m2 in HDR."""
    height, width = pixels.shape[:2]
    codes = np.rint(to_bt2100(pixels, transfer) * 65535).astype(np.uint16)
    with av.open(str(path), "w") as output:
        options = options or {"libx265": {"crf": "8", "x265-params": "log-level=none"}}.get(codec, {})
        stream = output.add_stream(codec, rate=25, width=width, height=height, pix_fmt=pixel_format, options=options)
        context = stream.codec_context
        context.colorspace, context.color_range = matrix, 1
        context.color_primaries, context.color_trc = primaries, transfer
        frame = VideoFrame.from_ndarray(codes, format="rgb48le")
        frame = frame.reformat(format=pixel_format, dst_colorspace=9, dst_color_range=1)
        frame.colorspace, frame.color_primaries, frame.color_trc = matrix, primaries, transfer
        frame.pts = 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path
