import numpy as np
import pytest
from PIL import Image

from fadm.animation.files import LABEL
from fadm.media.image import read_image
from tests.cli.command import run_fadm
from tests.media.samples import ASTRONAUT

EYES, MOUTH, SUIT = np.s_[88:106, 190:262], np.s_[128:160, 200:260], np.s_[320:, :]


def edit(tmp_path, *options) -> np.ndarray:
    assert run_fadm("edit", ASTRONAUT, "-o", tmp_path / "out.png", *options) == 0
    return read_image(tmp_path / "out.png").astype(int)


def test_nothing_asked_nothing_changed(tmp_path):
    assert np.abs(edit(tmp_path) - read_image(ASTRONAUT)).max() <= 1
    assert Image.open(tmp_path / "out.png").info["Comment"] == LABEL


@pytest.mark.parametrize(
    ("options", "changed", "kept"),
    [
        (["--blink-left", 1, "--blink-right", 1], EYES, MOUTH),
        (["--mouth-open", 1], MOUTH, EYES),
        (["--smile", "-1"], MOUTH, SUIT),
        (["--yaw", "-20"], EYES, SUIT),
        (["--gaze-left", 1], EYES, MOUTH),
    ],
)
def test_an_edit_changes_what_it_names(tmp_path, options, changed, kept):
    change = np.abs(edit(tmp_path, *options) - read_image(ASTRONAUT)).mean(-1)
    assert change[changed].mean() > 1.5 and change[changed].mean() > 2 * change[kept].mean()


@pytest.mark.parametrize(("ending", "format_name"), [("jpg", "JPEG"), ("webp", "WEBP")])
def test_crop_size_and_other_formats(tmp_path, capsys, ending, format_name):
    path = tmp_path / f"a.{ending}"
    assert run_fadm("edit", ASTRONAUT, "-o", path, "--smile", 1, "--crop", "--size", 96, "--no-label") == 0
    picture = Image.open(path)
    assert picture.size == (96, 96) and picture.format == format_name
    assert LABEL.encode() not in path.read_bytes()
    assert str(path) in capsys.readouterr().out
