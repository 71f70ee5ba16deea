import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from fadm.errors import InputError
from fadm.media.image import read_alpha, read_image
from fadm.media.picture_colours import find_colours
from tests.media.hdr_samples import HLG, PQ, to_bt2100
from tests.media.samples import ASTRONAUT


@pytest.fixture(scope="module")
def portrait():
    return np.asarray(Image.open(ASTRONAUT).resize((128, 96), Image.Resampling.BOX))


def name_in_png(path, primaries, transfer):
    """Insert the chunk cICP after a PNG's header."""
    data, content = path.read_bytes(), b"cICP" + bytes([primaries, transfer, 0, 1])
    chunk = struct.pack(">I", 4) + content + struct.pack(">I", zlib.crc32(content))
    path.write_bytes(data[:33] + chunk + data[33:])
    return path


def name_in_profile(primaries, transfer):
    """A profile of sRGB with the tag cicp."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (count,) = struct.unpack_from(">I", profile, 128)
    table_end = 132 + 12 * count
    shifted = b"".join(
        struct.pack(">4sII", name, offset + 12, size)
        for name, offset, size in struct.iter_unpack(">4sII", profile[132:table_end])
    )
    tag = struct.pack(">4sII", b"cicp", len(profile) + 12, 12)
    content = b"cicp" + bytes([0, 0, 0, 0, primaries, transfer, 0, 1])
    whole = profile[:128] + struct.pack(">I", count + 1) + shifted + tag + profile[table_end:] + content
    return struct.pack(">I", len(whole)) + whole[4:]


def encode(pixels, transfer):
    return Image.fromarray(np.rint(to_bt2100(pixels, transfer) * 255).astype(np.uint8))


@pytest.mark.parametrize("transfer", [PQ, HLG, 1])
@pytest.mark.parametrize("is_in_profile", [False, True])
def test_hdr_and_wide_gamut_of_pictures(tmp_path, portrait, transfer, is_in_profile):
    path, coded = tmp_path / "a.png", encode(portrait, transfer)
    if is_in_profile:
        coded.save(path, icc_profile=name_in_profile(9, transfer))
    else:
        coded.save(path)
        name_in_png(path, 9, transfer)
    pixels = read_image(path)
    assert np.abs(pixels.mean((0, 1)) - portrait.mean((0, 1))).max() < 1.5
    assert np.abs(pixels.astype(int) - portrait).mean() < 2  # 8 bits of PQ are coarse


def test_transparency_and_turn_of_hdr(tmp_path, portrait):
    coded = encode(portrait, PQ)
    alpha = np.full(portrait.shape[:2], 255, np.uint8)
    alpha[:32] = 0
    coded.putalpha(Image.fromarray(alpha))
    exif = Image.Exif()
    exif[0x0112] = 6
    coded.save(tmp_path / "a.png", exif=exif)
    pixels = read_image(name_in_png(tmp_path / "a.png", 9, PQ))
    expected = portrait.copy()
    expected[:32] = 255
    assert np.abs(pixels.astype(int) - np.rot90(expected, -1)).mean() < 2
    assert np.array_equal(read_alpha(tmp_path / "a.png"), np.rot90(alpha, -1))


def test_ordinary_pictures_name_nothing(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg", icc_profile=name_in_profile(1, 13))
    for path, expected in ((ASTRONAUT, (2, 2)), (tmp_path / "a.jpg", (1, 13))):
        with Image.open(path) as picture:
            assert find_colours(picture, path) == expected
    with Image.open(ASTRONAUT) as picture:
        picture.info["icc_profile"] = b"short"
        assert find_colours(picture, ASTRONAUT) == (2, 2)


def test_colours_that_cannot_be_mapped_are_refused(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png' has CIE XYZ primaries, .*; save it in sRGB"):
        read_image(name_in_png(tmp_path / "a.png", 10, 1))
