import io

import numpy as np
import torch
from PIL import Image

from fadm.evaluation.outputs.movement_strips import enlarge_eyes, enlarge_mouth, pack_jpeg
from fadm.media.crop import to_tensor
from tests.evaluation.synthetic_clips import run_on, swaying_head


def test_eyes_and_mouth_stand_upright_however_the_head_leans():
    windows = [
        [cut(to_tensor(pixels), torch.from_numpy(points)[None]).astype(int) for cut in (enlarge_eyes, enlarge_mouth)]
        for pixels, points in (swaying_head()[0], swaying_head()[3])  # turned by 6 degrees and moved
    ]
    for first, last in zip(*windows, strict=True):
        assert first.shape == last.shape and first.shape[1] == 224
        assert np.abs(first - last).mean() < 4  # of 255: two interpolations of the same skin
        assert first.std() > 15


def test_the_report_shows_the_largest_movements(tmp_path, shard):
    run_on(shard, "geometric", tmp_path / "run", protocol="cross-identity", metrics="following", report=True)
    text = (tmp_path / "run" / "report.html").read_text()
    assert "The drivers' largest movements" in text or "The drivers&#39; largest movements" in text
    assert "Columns: source, driver, coarse." in text and "<h3>blink</h3>" in text
    assert "eyeBlinkLeft from its mean: driver +" in text or "eyeBlinkRight from its mean: driver +" in text
    assert text.count("data:image/jpeg;base64,") == 16  # eight movements of two clips
    assert "<th>movement</th>" in text and "<th>coefficient</th>" in text


def test_a_strip_is_a_jpeg_file():
    with Image.open(io.BytesIO(pack_jpeg(np.full((8, 12, 3), 90, np.uint8)))) as picture:
        assert picture.size == (12, 8) and picture.format == "JPEG"
