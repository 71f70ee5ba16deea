"""One picture: any file that Pillow reads to RGB pixels, and RGB pixels to a file, whole or not at all."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from fadm.errors import InputError, OutputError
from fadm.files import explain_failure, place_of, replace_file

MAX_PIXELS = 8192 * 8192
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")

_EXIF_DESCRIPTION = 0x010E
_JPEG_QUALITY = 95


@contextmanager
def open_picture(path: Path) -> Iterator[Image.Image]:
    """Open a picture with Pillow; everything that its readers raise in the block becomes an InputError.

    Raises InputError for a file that is missing, unreadable, no picture, damaged or over MAX_PIXELS.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(path)
        with picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise InputError(_too_large(path, f"{picture.width}x{picture.height}"))
            yield picture
    except InputError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise InputError(_too_large(path, f"over {Image.MAX_IMAGE_PIXELS}")) from error
    except Image.UnidentifiedImageError as error:
        raise InputError(f"'{path}' is not a picture; give a PNG, JPEG, WebP, TIFF or GIF file") from error
    except Exception as error:  # Pillow's readers raise whatever their parsers stumble over
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(
                f"'{path}' cannot be opened: {error.strerror}; check the picture's name and permissions"
            ) from error
        raise InputError(f"'{path}' is damaged ({error}); save the picture again or give another") from error


def _too_large(path: Path, given: str) -> str:
    return f"'{path}' has {given} pixels, more than the {MAX_PIXELS} (8192x8192) allowed; make it smaller first"


def flatten_picture(picture: Image.Image) -> np.ndarray:
    """Convert a Pillow picture of any mode to RGB pixels: alpha over white, 16 bits scaled to 8.

    -> uint8 (H, W, 3). Mode I counts as 16 bits, mode F as [0, 1].
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
    """Read a picture as it is to be seen: turned by its EXIF orientation, an animation's first frame.

    -> uint8 (H, W, 3) RGB. Raises InputError for a file that is missing, no picture, damaged or too large.
    """
    with open_picture(Path(path)) as picture:
        return flatten_picture(_convert_to_srgb(ImageOps.exif_transpose(picture)))


def _convert_to_srgb(picture: Image.Image) -> Image.Image:
    """Colours as their profile says; a picture without a profile, or with one that cannot be read, is left as it is."""
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
    """Write uint8 (H, W, 3) RGB pixels as .png, .jpg or .webp, by the name's ending.

    The label goes into the metadata: PNG text "Comment", JPEG comment, WebP EXIF description. Raises
    OutputError for another ending, a place that cannot be written and a full disk; an older file then stays.
    """
    ending = Path(path).suffix.lower()
    if ending not in PICTURE_ENDINGS:
        raise OutputError(f"'{path}' has no picture's ending; end the name in {', '.join(PICTURE_ENDINGS)}")
    with replace_file(place_of(path)) as temporary, explain_failure(path):
        save_picture(temporary, pixels, ending, label)


def save_picture(path: Path, pixels: np.ndarray, ending: str, label: str | None) -> None:
    """Save uint8 (H, W, 3) pixels under a path of any name, in the format that belongs to the ending."""
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
