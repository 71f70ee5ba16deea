"""Opening a driver as a source of frames: a video, an animated picture, a folder of pictures or one picture."""

import re
import stat
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

from PIL import Image

from fadm.errors import InputError, OptionError
from fadm.media.animation import open_animation
from fadm.media.frames import Decoded, Frame, FrameSource, TimeRange, Wanted, make_range
from fadm.media.heif import ENDINGS
from fadm.media.image import open_picture, read_image
from fadm.media.picture_colours import find_colours
from fadm.media.tone_mapping import needs_mapping
from fadm.media.video import open_video

__all__ = ["Frame", "FrameSource", "open_frames"]

DEFAULT_RATE = Fraction(25)

_ANIMATED_FORMATS = ("GIF", "WEBP", "PNG", "AVIF")
_VIDEO_FORMATS = ("MPEG", "FLI")  # recognized by Pillow, but videos


def open_frames(
    path: str | Path,
    *,
    start: Fraction | float | None = None,
    end: Fraction | float | None = None,
    rate: Fraction | None = None,
) -> FrameSource:
    """Open a video, an animated picture, a folder of pictures or one picture as a source of frames.

    Args:
        path: The file or folder.
        start: Start of the part to read, in seconds from the first frame.
        end: End of that part in seconds, exclusive.
        rate: Frames per second of a folder or a single picture, 25 by default; videos and animations have
            their own times.

    Returns:
        The frames; nothing but the first one is decoded yet.

    Raises:
        InputError: The file or folder cannot be read, or has no frame in the part.
        OptionError: The part or the rate is out of range, or a rate is given for a file with times of its own.
    """
    path = Path(path)
    kept = make_range(start, end)
    if rate is not None and rate <= 0:
        raise OptionError(f"the rate is {float(rate):g} frames per second; it must be above 0")
    if _is_folder(path):
        return _open_pictures(path, list_pictures(path), kept, rate or DEFAULT_RATE)
    kind = _recognize(path)
    if kind == "still":
        return _open_pictures(path, [path], kept, rate or DEFAULT_RATE)
    if rate is not None:
        raise OptionError(f"'{path}' has its own frame rate; a rate is for a folder of pictures or one picture")
    return open_animation(path, kept) if kind == "animation" else open_video(path, kept)


def _is_folder(path: Path) -> bool:
    """Tell a folder from a file; InputError for what is neither, is empty or may not be read."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return True
        if not stat.S_ISREG(mode):
            raise InputError(f"'{path}' is neither a file nor a folder; give a video, a picture or a folder")
        with path.open("rb") as file:
            if not file.read(1):
                raise InputError(f"'{path}' is empty (0 bytes); give a video, a picture or a folder")
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}; check its name and permissions") from error
    return False


def _recognize(path: Path) -> str:
    """Classify a file as `still`, `animation` or, if it is no picture, `video`."""
    try:
        with open_picture(path) as picture:
            if picture.format in _VIDEO_FORMATS:
                return "video"
            if picture.format not in _ANIMATED_FORMATS or getattr(picture, "n_frames", 1) == 1:
                return "still"
            # FFmpeg reads the 10 bits of HDR, Pillow the frames as they are composed.
            is_hdr = picture.format == "AVIF" and needs_mapping(*find_colours(picture, path))
            return "video" if is_hdr else "animation"
    except InputError as error:
        if isinstance(error.__cause__, Image.UnidentifiedImageError):
            return "video"
        raise


def list_pictures(folder: Path) -> list[Path]:
    """List the pictures in a folder in natural order, by the numbers in their names; other files are ignored.

    Args:
        folder: The folder; folders within it are ignored.

    Returns:
        The paths of the pictures.

    Raises:
        InputError: The folder cannot be read or contains no picture.
    """
    # Of the formats that Pillow knows, some can only be saved; MPO is opened by the reader of JPEG.
    known = {e for e, kind in Image.registered_extensions().items() if kind in Image.OPEN or kind == "MPO"}
    endings = known.union(ENDINGS)
    try:
        named = (f for f in folder.iterdir() if f.suffix.lower() in endings and not f.name.startswith("."))
        files = [f for f in named if f.is_file()]
    except OSError as error:
        raise InputError(f"the folder '{folder}' cannot be read: {error.strerror}; check its permissions") from error
    if not files:
        raise InputError(f"the folder '{folder}' holds no picture; give one with PNG, JPEG or WebP files in it")
    return sorted(files, key=_natural_order)


def _natural_order(path: Path) -> list[tuple[int, str]]:
    # Splitting at groups of digits puts text at the even places and numbers at the odd ones.
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if index % 2 else (0, part) for index, part in enumerate(parts)]


def _open_pictures(path: Path, pictures: list[Path], kept: TimeRange, rate: Fraction) -> FrameSource:
    indices = [i for i in range(len(pictures)) if i / rate in kept]
    if not indices:
        raise InputError(
            f"'{path}' has no frame from {float(kept.start):g} s on: {len(pictures)} picture(s) at "
            f"{float(rate):g} frames per second; choose a range within that"
        )
    chosen = [pictures[i] for i in indices]
    height, width = read_image(chosen[0]).shape[:2]
    return FrameSource(
        path=path,
        width=width,
        height=height,
        rate=Fraction(rate),
        time_base=1 / Fraction(rate),
        num_frames=len(chosen),
        audio=None,
        decode=partial(_decode_pictures, chosen, (height, width)),
    )


def _decode_pictures(pictures: list[Path], size: tuple[int, int], is_wanted: Wanted) -> Iterator[Decoded]:
    for pts, path in enumerate(pictures):
        if not is_wanted(pts):
            yield pts, None
            continue
        pixels = read_image(path)
        if pixels.shape[:2] != size:
            raise InputError(
                f"'{path}' is {pixels.shape[1]}x{pixels.shape[0]}, but the first picture of its folder is "
                f"{size[1]}x{size[0]}; give pictures of one size"
            )
        yield pts, pixels
