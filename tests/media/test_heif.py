from fractions import Fraction

import numpy as np
import pytest
from PIL import Image, ImageCms

from fadm.errors import InputError, PackageError
from fadm.media import heif
from fadm.media.heif import is_heif, open_heif
from fadm.media.image import read_alpha, read_image
from fadm.media.reader import list_pictures, open_frames
from tests.media.hdr_samples import PQ, make_bt2020_video
from tests.media.heif_samples import make_heic
from tests.media.samples import ASTRONAUT, make_video


@pytest.fixture(scope="module")
def portrait():
    return np.asarray(Image.open(ASTRONAUT).resize((256, 192), Image.Resampling.BOX))


@pytest.fixture
def without_plugin(monkeypatch):
    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr(heif, "import_module", refuse)


@pytest.fixture
def with_plugin():
    pytest.importorskip("pillow_heif")
    yield
    Image.OPEN.pop("HEIF", None)
    Image.ID[:] = [name for name in Image.ID if name != "HEIF"]


def difference(given, expected):
    assert given.shape == expected.shape
    return np.abs(given.astype(float) - expected).mean()


@pytest.mark.parametrize("options", [{}, {"hdr": True}, {"turns": 0}, {"turns": 1}, {"turns": 2}, {"turns": 3}])
def test_heic_without_a_plugin(tmp_path, portrait, without_plugin, options):
    path = make_heic(tmp_path / "a.heic", portrait, **options)
    assert difference(read_image(path), np.rot90(portrait, options.get("turns", 0))) < 4
    assert read_alpha(path) is None


@pytest.mark.parametrize("options", [{}, {"hdr": True}, {"turns": 1}, {"num_tiles": 2}, {"num_tiles": 2, "hdr": True}])
def test_heic_with_the_plugin(tmp_path, portrait, with_plugin, options):
    path = make_heic(tmp_path / "a.heic", portrait, **options)
    assert difference(read_image(path), np.rot90(portrait, options.get("turns", 0))) < 4


def test_tiles_need_the_plugin(tmp_path, portrait, without_plugin):
    path = make_heic(tmp_path / "a.heic", portrait, num_tiles=2)
    for read in (read_image, read_alpha, open_frames):
        with pytest.raises(
            PackageError, match=r"in tiles or transparent, which needs the package pillow-heif"
        ) as caught:
            read(path)
        assert "\n" not in str(caught.value) and "a.heic" in str(caught.value)


def test_heic_as_driver_is_a_picture(tmp_path, portrait, without_plugin):
    path = make_heic(tmp_path / "a.heic", portrait, turns=1)
    source = open_frames(path, rate=Fraction(10))
    assert (source.width, source.height, source.num_frames, source.rate) == (192, 256, 1, 10)
    assert list_pictures(tmp_path) == [path]
    assert np.array_equal(next(iter(open_frames(tmp_path))).pixels, next(iter(source)).pixels)


def test_damaged_heic(tmp_path, portrait, without_plugin):
    path = make_heic(tmp_path / "a.heic", portrait)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"a\.heic' (is damaged|cannot be read)") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


def test_is_heif(tmp_path):
    assert not is_heif(make_video(tmp_path / "a.mp4", num_frames=1))
    assert not is_heif(ASTRONAUT) and not is_heif(tmp_path / "none.heic") and not is_heif(tmp_path)


needs_avif = pytest.mark.skipif(".avif" not in Image.registered_extensions(), reason="Pillow reads AVIF from 11.3 on")


@needs_avif
def test_avif(tmp_path, portrait):
    Image.fromarray(portrait).save(tmp_path / "a.avif", quality=90)
    assert difference(read_image(tmp_path / "a.avif"), portrait) < 4
    rgba = np.dstack([portrait, np.full(portrait.shape[:2], 255, np.uint8)])
    rgba[:64, :, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "b.avif")
    assert np.abs(read_alpha(tmp_path / "b.avif").astype(int) - rgba[..., 3]).max() <= 2


@needs_avif
def test_avif_without_pillows_reader(tmp_path, portrait):
    Image.fromarray(portrait).save(tmp_path / "a.avif", quality=90)
    assert difference(np.asarray(open_heif(tmp_path / "a.avif")), portrait) < 4
    rgba = Image.fromarray(portrait).convert("RGBA")
    rgba.putalpha(128)
    rgba.save(tmp_path / "b.avif")
    with pytest.raises(PackageError, match=r"b\.avif' is a picture .* Pillow 11\.3"):
        open_heif(tmp_path / "b.avif")


@needs_avif
def test_profile_of_an_avif_without_pillows_reader(tmp_path, portrait):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(portrait).save(tmp_path / "a.avif", icc_profile=profile)
    assert open_heif(tmp_path / "a.avif").info["icc_profile"] == profile


@needs_avif
@pytest.mark.parametrize("is_read_by_pillow", [True, False])
def test_hdr_avif(tmp_path, portrait, is_read_by_pillow):
    options = {"crf": "8", "preset": "10"}
    path = make_bt2020_video(tmp_path / "a.avif", portrait, PQ, "libsvtav1", options=options)
    pixels = read_image(path) if is_read_by_pillow else np.asarray(open_heif(path))
    assert difference(pixels, portrait) < 4
    assert np.abs(pixels.mean((0, 1)) - portrait.mean((0, 1))).max() < 3  # of 8 bits of PQ, if by Pillow
