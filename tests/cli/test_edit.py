import re

import numpy as np
import pytest
from PIL import Image

from fadm.animation.files import LABEL
from fadm.attributes.landmark_model import load_landmark_model
from fadm.media.image import read_image
from tests.attributes.made_up import make_mapped_model, without_map
from tests.cli.command import error_line, run_fadm
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
    assert capsys.readouterr().out == f"{path}: written, rendered by fadm_small\n"


@pytest.fixture
def mapped(monkeypatch):
    """As if the package's face model had a map of blendshapes, learned from made-up people."""
    model = make_mapped_model(load_landmark_model())
    monkeypatch.setattr("fadm.animation.animator.load_landmark_model", lambda: model)


@pytest.mark.parametrize(
    ("options", "changed", "kept"),
    [
        (["--eyeBlinkLeft", 1, "--eyeBlinkRight", 1], EYES, MOUTH),
        (["--jawOpen", 1], MOUTH, EYES),
        (["--eyeLookOutLeft", 1, "--eyeLookInRight", 1], EYES, MOUTH),
        (["--smile", "1"], MOUTH, SUIT),
    ],
)
def test_blendshapes_change_what_they_name(tmp_path, mapped, options, changed, kept):
    change = np.abs(edit(tmp_path, *options) - read_image(ASTRONAUT)).mean(-1)
    assert change[changed].mean() > 1.5 and change[changed].mean() > 2 * change[kept].mean()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--jawOpen", 2], "--jawOpen 2: give a number from 0 to 1.5"),
        (["--jawOpen", "wide"], "--jawOpen 'wide': give a number"),
        (["--eyeBlinkLeftt", 1], "No such option: --eyeBlinkLeftt .*--eyeBlinkLeft"),
    ],
)
def test_mistaken_blendshapes_are_one_line(tmp_path, capsys, options, message):
    assert run_fadm("edit", ASTRONAUT, "-o", tmp_path / "a.png", *options) == 2
    assert re.search(message, error_line(capsys)) and list(tmp_path.iterdir()) == []


def test_a_face_model_without_blendshapes_is_named(tmp_path, capsys, monkeypatch):
    model = without_map(load_landmark_model())
    monkeypatch.setattr("fadm.animation.animator.load_landmark_model", lambda: model)
    assert run_fadm("edit", ASTRONAUT, "-o", tmp_path / "a.png", "--jawOpen", 1) == 2
    assert "editing by blendshapes needs a face model that knows blendshapes" in error_line(capsys)
    assert list(tmp_path.iterdir()) == []
