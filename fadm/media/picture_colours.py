"""The colours of a picture by the numbers of ITU-T H.273, which Pillow does not convert by, and their mapping."""

import struct
from pathlib import Path

import numpy as np
from PIL import Image

from fadm.errors import InputError
from fadm.media.tone_mapping import explain_unknown, map_to_bt709, needs_mapping

_UNSPECIFIED = 2
_PNG_SIGNATURE_SIZE = 8
_ICC_HEADER_SIZE, _ICC_TAG_SIZE = 128, 12

Colours = tuple[int, int]  # numbers of the primaries and of the transfer function


def map_colours(picture: Image.Image, colours: Colours, path: Path) -> Image.Image | None:
    """Map HDR and wide gamut to BT.709 pixels of 8 bits; the transparency stays.

    Args:
        picture: The picture, turned upright or not.
        colours: What `find_colours` found.
        path: Its file, for error messages.

    Returns:
        A picture of mode RGB or RGBA; None if its colours are ordinary ones, or in an ICC profile alone.

    Raises:
        InputError: The colours cannot be mapped.
    """
    primaries, transfer = colours
    if (named := explain_unknown(primaries, transfer)) is not None:
        raise InputError(f"'{path}' has {named}, which cannot be shown as BT.709; save it in sRGB first")
    if not needs_mapping(primaries, transfer):
        return None
    codes = np.multiply(np.asarray(picture.convert("RGB")), 257, dtype=np.uint16)
    mapped = Image.fromarray(map_to_bt709(codes, primaries, transfer))
    if picture.has_transparency_data:
        mapped.putalpha(picture.convert("RGBA").getchannel("A"))
    return mapped


def find_colours(picture: Image.Image, path: Path) -> Colours:
    """Find the colours that a file names: AVIF's, HEIC's, PNG's chunk cICP, an ICC profile's tag cicp.

    Args:
        picture: The open picture.
        path: Its file.

    Returns:
        The numbers of primaries and transfer function, 2 for each that is not named.
    """
    named: Colours | None = None
    if picture.format == "PNG":
        named = _find_chunk(path)
    elif picture.format == "AVIF":
        named = _find_in_streams(path)
    elif "nclx_profile" in picture.info:
        given = picture.info["nclx_profile"]
        named = given["color_primaries"], given["transfer_characteristics"]
    profile = picture.info.get("icc_profile")
    if profile and (named is None or _UNSPECIFIED in named):
        named = _find_tag(profile)
    return named or (_UNSPECIFIED, _UNSPECIFIED)


def _find_chunk(path: Path) -> Colours | None:
    """Find cICP among a PNG's chunks before its pixels (PNG 3, 11.3.2.6)."""
    with path.open("rb") as file:
        file.seek(_PNG_SIGNATURE_SIZE)
        while len(header := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", header)
            if kind == b"cICP":
                content = file.read(length)
                return (content[0], content[1]) if len(content) == 4 else None
            if kind == b"IDAT":
                break
            file.seek(length + 4, 1)
    return None


def _find_in_streams(path: Path) -> Colours | None:
    """Ask FFmpeg for the colours of an AVIF, without decoding it."""
    from fadm.media.container import find_video_stream, open_container

    try:
        with open_container(path) as container:
            context = find_video_stream(container, path).codec_context
            return context.color_primaries, context.color_trc
    except InputError:  # what Pillow reads, but FFmpeg does not
        return None


def _find_tag(profile: bytes) -> Colours | None:
    """Find cicp in an ICC profile's table of tags (ICC.1:2022, 9.2.17 and 10.3)."""
    (count,) = struct.unpack(">I", profile[_ICC_HEADER_SIZE : _ICC_HEADER_SIZE + 4].rjust(4, b"\0"))
    table = profile[_ICC_HEADER_SIZE + 4 :][: count * _ICC_TAG_SIZE]
    for start in range(0, len(table) - _ICC_TAG_SIZE + 1, _ICC_TAG_SIZE):
        name, offset, size = struct.unpack_from(">4sII", table, start)
        content = profile[offset : offset + size]
        if name == b"cicp" and len(content) >= 12:
            return content[8], content[9]
    return None
