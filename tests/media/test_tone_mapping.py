import numpy as np
import pytest
from PIL import Image

from fadm.errors import InputError
from fadm.media.reader import open_frames
from fadm.media.tone_mapping import map_to_bt709, needs_mapping
from tests.media.hdr_samples import HLG, PQ, make_bt2020_video, to_bt2100
from tests.media.samples import ASTRONAUT

BT2020_SDR, LINEAR = 14, 8
SKIN = (121, 77, 67)


@pytest.fixture(scope="module")
def portrait():
    return np.asarray(Image.open(ASTRONAUT).resize((128, 128), Image.Resampling.BOX))


@pytest.mark.parametrize("transfer", [PQ, HLG, BT2020_SDR])
@pytest.mark.parametrize("codec", ["libx265", "ffv1"])
def test_portrait_comes_back(tmp_path, portrait, transfer, codec):
    path = make_bt2020_video(tmp_path / "a.mkv", portrait, transfer, codec, pixel_format="yuv444p10le")
    pixels = next(iter(open_frames(path))).pixels
    # Highlights of HDR are compressed from 0.9 of white on.
    middle = (portrait > 20).all(axis=2) & (portrait < 230).all(axis=2)
    differences = np.abs(pixels.astype(int) - portrait)[middle]
    assert differences.mean() < (1 if codec == "ffv1" else 4)  # what is lost to the codec's noise
    assert codec != "ffv1" or differences.max() <= 5
    assert np.abs(pixels.mean((0, 1)) - portrait.mean((0, 1))).max() < 1.5


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [("a.mkv", "libx265", None), ("a.mp4", "libsvtav1", {"crf": "10", "preset": "10"})],
)
@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_skin_and_white_of_hdr(tmp_path, monkeypatch, name, codec, options, transfer):
    monkeypatch.setenv("SVT_LOG", "1")
    pixels = np.full((128, 128, 3), 255, np.uint8)
    pixels[:, 64:] = SKIN
    path = make_bt2020_video(tmp_path / name, pixels, transfer, codec, options=options)
    read = next(iter(open_frames(path))).pixels
    assert np.abs(read[32:96, 80:112].astype(int) - SKIN).max() <= 3
    assert read[32:96, 16:48].min() >= 247


def test_untagged_matrix_of_bt2020(tmp_path):
    pixels = np.full((64, 64, 3), SKIN, np.uint8)
    path = make_bt2020_video(tmp_path / "a.mkv", pixels, PQ, matrix=2)
    assert np.abs(next(iter(open_frames(path))).pixels[32, 32].astype(int) - SKIN).max() <= 3


@pytest.mark.parametrize(("transfer", "code", "nits"), [(PQ, 0.508078, 100), (PQ, 0.751827, 1000), (HLG, 0.75, 203)])
def test_light_of_code_values(transfer, code, nits):
    """BT.2100's table of PQ; BT.2408's code value of HLG white, 75 %."""
    grey = np.full((1, 1, 3), round(code * 65535), np.uint16)
    light = min(nits / 203, 1000 / 203)
    t = (light - 0.9) / 0.1
    peak = (1000 / 203 - 0.9) / 0.1
    expected = light if light < 0.9 else 0.9 + 0.1 * t * (1 + t / peak**2) / (1 + t)
    assert np.abs(map_to_bt709(grey, 9, transfer) - 255 * expected ** (1 / 2.4)).max() < 0.7


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_greys_keep_their_order_and_stay_grey(transfer):
    codes = np.repeat(np.arange(0, 65536, 16, dtype=np.uint16)[None, :, None], 3, axis=2)
    greys = map_to_bt709(codes, 9, transfer)[0].astype(int)
    assert np.ptp(greys, axis=1).max() <= 1
    steps = np.diff(greys[:, 0])
    assert steps.min() >= 0 and steps.max() <= 2
    assert greys[0, 0] == 0 and greys[-1, 0] == 255


def test_hue_of_highlights_stays():
    orange = (np.array([0.6, 0.3, 0.1]) ** 2.4 * 3)[None, None]
    codes = np.rint(to_bt2100(orange, PQ, is_light=True) * 65535).astype(np.uint16)
    red, green, blue = map_to_bt709(codes, 9, PQ)[0, 0] / 255
    assert (green / red, blue / red) == pytest.approx((0.5, 1 / 6), abs=0.02)


def test_wide_gamut_of_sdr():
    codes = np.full((1, 2, 3), 65535, np.uint16)
    codes[0, 1, 1:] = 0
    for primaries in (9, 11, 12):
        assert map_to_bt709(codes, primaries, 1).tolist() == [[[255, 255, 255], [255, 0, 0]]]
    # sRGB's red in Display P3 (ColorSync's 234, 51, 35 are by sRGB's own curve; here by gamma 2.4).
    light = np.linalg.inv([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]]) @ [1, 0, 0]
    red = np.rint(np.maximum(light, 0) ** (1 / 2.4) * 65535).astype(np.uint16)[None, None]
    assert np.abs(map_to_bt709(red, 12, 13)[0, 0].astype(int) - [255, 0, 0]).max() <= 6


def test_ordinary_colours_are_not_mapped():
    assert not any(needs_mapping(p, t) for p in (1, 2, 4, 5, 6, 7) for t in (1, 2, 4, 5, 6, 13, 14))
    assert needs_mapping(1, PQ) and needs_mapping(2, HLG) and needs_mapping(9, 1) and needs_mapping(1, LINEAR)


@pytest.mark.parametrize(
    ("colours", "named"),
    [
        ({"matrix": 14}, "the ICtCp matrix"),
        ({"matrix": 10}, "the BT.2020 constant luminance matrix"),
        ({"transfer": 9}, "the logarithmic transfer function"),
        ({"primaries": 10}, "CIE XYZ primaries"),
    ],
)
def test_colours_that_cannot_be_mapped_are_refused(tmp_path, colours, named):
    given = {"transfer": PQ} | colours
    path = make_bt2020_video(tmp_path / "a.mkv", np.full((64, 64, 3), 99, np.uint8), codec="ffv1", **given)
    with pytest.raises(InputError, match=rf"a\.mkv' has {named}, .* convert it to BT\.709") as caught:
        open_frames(path)
    assert "\n" not in str(caught.value)
