"""HEIC and AVIF stills: opened by Pillow's plugin where it is there, else decoded by PyAV."""

import math
from importlib import import_module
from pathlib import Path

from PIL import Image

from fadm.errors import InputError, PackageError

ENDINGS = (".heic", ".heif", ".hif", ".avif")

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")  # ISO/IEC 23008-12; sequences have others
_AVIF_BRANDS = (b"avif",)
_HEADER_SIZE = 1 << 16  # bytes that hold the properties of a still of one piece


def is_heif(path: Path) -> bool:
    """Tell whether a file is a HEIC or AVIF still by its first bytes.

    Args:
        path: A file.

    Returns:
        Whether it is one; False for a file that cannot be read.
    """
    return _brand_of(path) in (*_HEIC_BRANDS, *_AVIF_BRANDS)


def _brand_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            start = file.read(12)
    except OSError:
        return b""
    return start[8:12] if start[4:8] == b"ftyp" else b""


def open_heif(path: Path) -> Image.Image:
    """Open a still that Pillow alone does not read.

    Args:
        path: A HEIC or AVIF still.

    Returns:
        The Pillow picture.

    Raises:
        InputError: It is damaged.
        PackageError: It needs the package pillow-heif, which is not installed.
    """
    if _brand_of(path) in _HEIC_BRANDS:
        try:
            import_module("pillow_heif").register_heif_opener()
        except ImportError:
            return _decode(path)
        return Image.open(path)
    return _decode(path)


def _decode(path: Path) -> Image.Image:
    """Decode a still of one piece; of several (tiles, transparency) each is a stream of its own to FFmpeg.

    Its colours come back as BT.709, or with the profile that it has.
    """
    import av
    from av.video.reformatter import VideoReformatter

    from fadm.media.container import find_video_stream, open_container
    from fadm.media.conversion import convert_frame, explain_colours, find_side_data

    with open_container(path) as container:
        stream = find_video_stream(container, path)
        if len(container.streams.video) > 1:
            raise PackageError(_explain_package(path, "in tiles or transparent"))
        if stream.codec_context.width * stream.codec_context.height > (Image.MAX_IMAGE_PIXELS or math.inf):
            raise Image.DecompressionBombError
        try:
            frame = next(container.decode(stream))
        except (StopIteration, av.error.FFmpegError) as error:
            raise InputError(f"'{path}' is damaged; save the picture again or give another") from error
        if (colours := explain_colours(frame)) is not None:
            raise InputError(f"'{path}' has {colours}, which cannot be shown as BT.709; save it in sRGB first")
        if _is_turned(path) and find_side_data(frame, "DISPLAYMATRIX") is None:
            raise PackageError(_explain_package(path, "turned"))
        profile = find_side_data(frame, "ICC_PROFILE")
        picture = Image.fromarray(convert_frame(frame, (frame.width, frame.height), VideoReformatter()))
        if profile is not None:
            picture.info["icc_profile"] = profile
        return picture


def _explain_package(path: Path, kind: str) -> str:
    """Say which package reads a still that FFmpeg does not put together."""
    if _brand_of(path) in _AVIF_BRANDS:
        needed = "Pillow 11.3 or newer: `pip install -U pillow`"
    else:
        needed = "the package pillow-heif: `pip install pillow-heif`, or `pip install '.[heic]'` in fadm's folder"
    return f"'{path}' is a picture {kind}, which needs {needed}; or save it as PNG or JPEG"


def _is_turned(path: Path) -> bool:
    """Look for the properties irot and imir (ISO/IEC 23008-12, 6.5.10 and 6.5.12) before the pixels."""
    with path.open("rb") as file:
        start = file.read(_HEADER_SIZE)
    turn = start.find(b"irot")
    return b"imir" in start or (turn >= 0 and start[turn + 4] != 0)
