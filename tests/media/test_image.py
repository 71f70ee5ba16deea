import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from fadm.errors import InputError, OutputError
from fadm.media.image import read_alpha, read_image, write_image
from tests.media.samples import ASTRONAUT, pattern


def bomb(width: int, height: int) -> bytes:
    """A PNG of which only the header is there."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + checksum + bytes(4) + b"IDAT"


def test_read_png():
    pixels = read_image(ASTRONAUT)
    assert pixels.shape == (512, 512, 3)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.asarray(Image.open(ASTRONAUT)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_read_applies_exif_orientation(tmp_path, orientation):
    upright = pattern(0, 64, 48)
    # What a camera stores so that the orientation undoes it (EXIF 2.3, tag 0x0112).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "turned.png"), upright)


def test_read_puts_alpha_over_white(tmp_path):
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[..., 0], rgba[..., 3] = 255, 128
    Image.fromarray(rgba).save(tmp_path / "half.png")
    assert np.abs(read_image(tmp_path / "half.png")[0, 0].astype(int) - [255, 127, 127]).max() <= 1


def test_read_palette_with_a_transparent_colour(tmp_path):
    picture = Image.fromarray(np.eye(4, dtype=np.uint8), "P")
    picture.putpalette([0, 0, 255, 10, 20, 30])
    picture.save(tmp_path / "clear.png", transparency=0)
    pixels = read_image(tmp_path / "clear.png")
    assert pixels[0, 0].tolist() == [10, 20, 30]
    assert pixels[0, 1].tolist() == [255, 255, 255]


def test_alpha_has_the_size_and_turn_of_the_picture(tmp_path):
    rgba = np.dstack([pattern(0, 64, 48), np.full((48, 64), 255, np.uint8)])
    rgba[:10, :20, 3] = np.arange(20) * 5
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rgba).save(tmp_path / "turned.png", exif=exif)
    alpha = read_alpha(tmp_path / "turned.png")
    assert alpha.dtype == np.uint8 and alpha.shape == read_image(tmp_path / "turned.png").shape[:2]
    assert np.array_equal(alpha, np.rot90(rgba[..., 3], -1))


def test_alpha_of_a_transparent_colour_and_of_opaque_pictures(tmp_path):
    picture = Image.fromarray(np.eye(4, dtype=np.uint8), "P")
    picture.putpalette([0, 0, 255, 10, 20, 30])
    picture.save(tmp_path / "clear.png", transparency=0)
    assert np.array_equal(read_alpha(tmp_path / "clear.png"), np.eye(4, dtype=np.uint8) * 255)
    for mode in ("RGB", "RGBA"):
        Image.new(mode, (4, 4), "red").save(tmp_path / "opaque.png")
        assert read_alpha(tmp_path / "opaque.png") is None
    with pytest.raises(InputError, match="No such file"):
        read_alpha(tmp_path / "none.png")


def test_read_scales_sixteen_bits(tmp_path):
    grey = np.array([[0, 257, 32896, 65535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / "deep.png")
    assert read_image(tmp_path / "deep.png")[0, :, 0].tolist() == [0, 1, 128, 255]


def test_read_float(tmp_path):
    Image.fromarray(np.array([[0, 0.5, 2]], np.float32)).save(tmp_path / "float.tiff")
    assert read_image(tmp_path / "float.tiff")[0, :, 1].tolist() == [0, 128, 255]


@pytest.mark.parametrize("mode", ["L", "LA", "1", "CMYK", "YCbCr"])
def test_read_any_mode(tmp_path, mode):
    path = tmp_path / "picture.tiff"
    Image.new("RGB", (6, 5), "white").convert(mode).save(path)
    assert np.array_equal(read_image(path), np.full((5, 6, 3), 255))


def test_read_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "two.gif")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("size", [(10_000, 10_000), (60_000, 60_000)])
def test_read_refuses_a_bomb(tmp_path, size):
    (tmp_path / "bomb.png").write_bytes(bomb(*size))
    with pytest.raises(InputError, match="more than the 67108864"):
        read_image(tmp_path / "bomb.png")


def test_read_refuses_what_is_no_picture(tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    for name, message in {
        "text.png": "not a picture",
        "empty.png": "not a picture",
        "none.png": "No such file",
        ".": "cannot be opened",
    }.items():
        with pytest.raises(InputError, match=message):
            read_image(tmp_path / name)


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "webp", "tiff"])
def test_read_refuses_a_truncated_picture(tmp_path, ending):
    path = tmp_path / f"cut.{ending}"
    Image.open(ASTRONAUT).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"damaged|not a picture"):
        read_image(path)


def test_write_keeps_pixels_and_label(tmp_path):
    pixels = read_image(ASTRONAUT)
    for name in ("a.png", "a.JPG", "a.webp"):
        write_image(tmp_path / name, pixels, label="synthetic")
    assert np.array_equal(read_image(tmp_path / "a.png"), pixels)
    for name in ("a.JPG", "a.webp"):
        assert np.abs(read_image(tmp_path / name).astype(float) - pixels).mean() < 3
    assert Image.open(tmp_path / "a.png").text == {"Comment": "synthetic"}
    assert Image.open(tmp_path / "a.JPG").info["comment"] == b"synthetic"
    assert Image.open(tmp_path / "a.webp").getexif()[0x010E] == "synthetic"


def test_write_refuses_an_unknown_ending(tmp_path):
    with pytest.raises(OutputError, match=r"\.png, \.jpg"):
        write_image(tmp_path / "a.xyz", pattern(0))


def test_write_leaves_nothing_when_it_fails(tmp_path):
    (tmp_path / "a.jpg").write_text("older")
    with pytest.raises(OutputError, match="cannot be written"):
        write_image(tmp_path / "a.jpg", np.zeros((1, 70_000, 3), np.uint8))  # JPEG ends at 65,500
    assert [p.name for p in tmp_path.iterdir()] == ["a.jpg"]
    assert (tmp_path / "a.jpg").read_text() == "older"


def test_read_follows_the_colour_profile(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"----").replace(b"gXYZ", b"rXYZ").replace(b"----", b"gXYZ")
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    for name, content, expected in (
        ("own", profile, (255, 0, 0)),
        ("swapped", swapped, (0, 255, 0)),
        ("bad", b"x", (255, 0, 0)),
    ):
        red.save(tmp_path / f"{name}.png", icc_profile=content)
        assert np.abs(read_image(tmp_path / f"{name}.png")[0, 0].astype(int) - expected).max() < 6
