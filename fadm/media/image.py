"""One picture: files that Pillow reads to RGB pixels, and RGB pixels to a file, whole or not at all."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from fadm.errors import FadmError, InputError, OutputError
from fadm.files import explain_failure, place_of, replace_file
from fadm.media.heif import is_heif, open_heif
from fadm.media.picture_colours import find_colours, map_colours

MAX_PIXELS = 8192 * 8192
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")  # of pictures that are written
READABLE_ENDINGS = (*PICTURE_ENDINGS, ".bmp", ".tif", ".tiff")  # of pictures that are looked for in folders

_EXIF_DESCRIPTION = 0x010E
_JPEG_QUALITY = 95
_OPAQUE = 255


@contextmanager
def open_picture(path: Path) -> Iterator[Image.Image]:
    """Open a picture with Pillow; whatever its readers raise within the block becomes an InputError.

    Args:
        path: A picture file.

    Yields:
        The open Pillow picture, closed when the block ends.

    Raises:
        InputError: The file is missing, unreadable, no picture, damaged or larger than MAX_PIXELS.
        PackageError: It is a HEIC file that needs a package which is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = _open(path)
        with picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise InputError(_too_large(path, f"{picture.width}x{picture.height}"))
            yield picture
    except FadmError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise InputError(_too_large(path, f"over {Image.MAX_IMAGE_PIXELS}")) from error
    except Image.UnidentifiedImageError as error:
        raise InputError(f"'{path}' is not a picture; give a PNG, JPEG, WebP, AVIF, HEIC, TIFF or GIF file") from error
    except Exception as error:  # Pillow's readers raise whatever their parsers stumble over
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(
                f"'{path}' cannot be opened: {error.strerror}; check the picture's name and permissions"
            ) from error
        raise InputError(f"'{path}' is damaged ({error}); save the picture again or give another") from error


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except Image.UnidentifiedImageError:
        if not is_heif(path):
            raise
        return open_heif(path)


def _too_large(path: Path, given: str) -> str:
    return f"'{path}' has {given} pixels, more than the {MAX_PIXELS} (8192x8192) allowed; make it smaller first"


def flatten_picture(picture: Image.Image) -> np.ndarray:
    """Convert a Pillow picture of any mode to RGB pixels: alpha over white, 16 bits scaled to 8.

    Args:
        picture: The picture; mode I counts as 16 bits, mode F as [0, 1].

    Returns:
        uint8 (H, W, 3).
    """
    if picture.mode.startswith("I"):
        grey = np.clip(np.asarray(picture).astype(np.float64) / 257.0, 0, 255)
        return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=2)
    if picture.mode == "F":
        grey = np.clip(np.asarray(picture) * 255.0, 0, 255)
        return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=2)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return np.array(picture.convert("RGB"))


def read_image(path: str | Path) -> np.ndarray:
    """Read a picture as it is meant to be seen: turned by its EXIF orientation, in sRGB, HDR mapped to it.

    Args:
        path: A picture file; of an animation the first frame is read.

    Returns:
        uint8 (H, W, 3) RGB.

    Raises:
        InputError: The file is missing, no picture, damaged or larger than MAX_PIXELS, or has colours that cannot
            be mapped.
        PackageError: It is a HEIC file that needs a package which is not installed.
    """
    path = Path(path)
    with open_picture(path) as picture:
        upright = ImageOps.exif_transpose(picture)
        mapped = map_colours(upright, find_colours(picture, path), path)
        return flatten_picture(_convert_to_srgb(upright) if mapped is None else mapped)


def read_alpha(path: str | Path) -> NDArray[np.uint8] | None:
    """Read the transparency of a picture, which `read_image` shows over white.

    Args:
        path: A picture file; of an animation the first frame is read.

    Returns:
        uint8 (H, W), 0 where nothing covers the background and 255 where the picture does, of the size and turn
        of `read_image`; None if the picture is opaque everywhere.

    Raises:
        InputError: As from `read_image`.
    """
    with open_picture(Path(path)) as picture:
        if not picture.has_transparency_data:
            return None
        alpha = np.array(ImageOps.exif_transpose(picture).convert("RGBA").getchannel("A"))
        return None if alpha.min() == _OPAQUE else alpha


def _convert_to_srgb(picture: Image.Image) -> Image.Image:
    """Convert from the embedded colour profile; without a profile that can be read, leave the picture as it is."""
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "RGBA", "CMYK"):
        return picture
    try:
        given, wanted = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        mode = "RGBA" if picture.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(picture, given, wanted, outputMode=mode) or picture
    except (OSError, ImageCms.PyCMSError):
        return picture


def write_image(path: str | Path, pixels: np.ndarray, label: str | None = None) -> None:
    """Write RGB pixels as PNG, JPEG or WebP, chosen by the ending of the name.

    Args:
        path: The output, ending in one of PICTURE_ENDINGS.
        pixels: uint8 (H, W, 3) RGB.
        label: Text for the metadata: PNG text "Comment", JPEG comment, WebP EXIF description.

    Raises:
        OutputError: Another ending, a path that cannot be written or a full disk; an older file then stays.
    """
    ending = Path(path).suffix.lower()
    if ending not in PICTURE_ENDINGS:
        raise OutputError(f"'{path}' is not the name of a picture; end it in {', '.join(PICTURE_ENDINGS)}")
    with replace_file(place_of(path)) as temporary, explain_failure(path):
        save_picture(temporary, pixels, ending, label)


def save_picture(path: Path, pixels: np.ndarray, ending: str, label: str | None) -> None:
    """Save pixels under a path of any name, in the format that belongs to an ending.

    Args:
        path: The file to write.
        pixels: uint8 (H, W, 3) RGB.
        ending: One of PICTURE_ENDINGS, whatever the path ends in.
        label: Text for the metadata, as in `write_image`.
    """
    picture = Image.fromarray(pixels)
    if ending == ".png":
        text = PngImagePlugin.PngInfo()
        if label is not None:
            text.add_text("Comment", label)
        picture.save(path, "PNG", pnginfo=text, compress_level=3)
    elif ending == ".webp":
        exif = Image.Exif()
        if label is not None:
            exif[_EXIF_DESCRIPTION] = label
        picture.save(path, "WEBP", quality=_JPEG_QUALITY, exif=exif)
    else:
        picture.save(path, "JPEG", quality=_JPEG_QUALITY, subsampling=0, comment=label or "")
