import json
import re

import numpy as np
import pytest
from PIL import Image

from fadm.media.image import read_image
from tests.attributes.stand_in_head import imported_heads
from tests.cli.command import error_line, run_fadm
from tests.media.samples import ASTRONAUT


@pytest.fixture(autouse=True)
def no_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("FADM_HOME", str(tmp_path / "home"))


def test_faces_are_drawn_and_listed(tmp_path, capsys):
    assert run_fadm("face", ASTRONAUT, "-o", tmp_path / "out.png") == 0
    face, written, note = capsys.readouterr().out.splitlines()
    assert re.match(r"face 1: \d+x\d+ pixels at x \d+, y \d+; yaw .* degrees; smile \+1\.\d", face)
    assert written == f"{tmp_path}/out.png: written"
    assert note.startswith("importing DECA, FLAME and") and note.endswith("fadm weights import FILE")
    picture = Image.open(tmp_path / "out.png")
    assert max(picture.size) > 1024 and picture.info == {}  # it is no synthetic face


def test_json_is_one_document_and_writes_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_fadm("face", ASTRONAUT, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["width"], document["height"]) == (512, 512) and document["picture"] == str(ASTRONAUT)
    (face,) = document["faces"]
    assert face["face"] == 1 and face["deca"] is None and len(face["landmarks"]) == 478
    assert list(tmp_path.iterdir()) == []


def test_json_and_picture_with_deca(tmp_path, capsys):
    with imported_heads(tmp_path / "home"):
        assert run_fadm("face", ASTRONAUT, "-o", tmp_path / "out.webp", "--json") == 0
    deca = json.loads(capsys.readouterr().out)["faces"][0]["deca"]
    assert len(deca["shape"]) == 100 and len(deca["landmarks"]) == 68
    assert Image.open(tmp_path / "out.webp").format == "WEBP"


def test_commercial_use_leaves_out_what_its_terms_forbid(tmp_path, capsys):
    with imported_heads(tmp_path / "home"):
        assert run_fadm("face", ASTRONAUT, "--commercial", "--json") == 0
        assert json.loads(capsys.readouterr().out)["faces"][0]["deca"] is None
        assert run_fadm("face", ASTRONAUT, "--commercial") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "--commercial leaves out DECA, FLAME and FLAME's landmarks; `fadm weights list` shows the terms"


@pytest.mark.parametrize(
    ("content", "output", "message"),
    [
        (b"no picture", "out.png", "is not a picture; give a PNG"),
        (None, "out.png", "cannot be opened: No such file"),
        ("blue", "out.png", "no face found; a face must be seen from the front"),
        ("face", "out.mp4", r"is not the name of a picture; end it in \.png, \.jpg"),
        ("face", "in.png", "is an input or inside one, which would be lost"),
        ("face", "nowhere/out.png", "the folder .* does not exist; create it first"),
    ],
)
def test_mistakes_are_one_line_and_change_nothing(tmp_path, capsys, content, output, message):
    path = tmp_path / "in.png"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        pixels = read_image(ASTRONAUT) if content == "face" else np.full((200, 200, 3), (0, 0, 255), np.uint8)
        Image.fromarray(pixels).save(path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert run_fadm("face", path, "-o", tmp_path / output) == 2
    assert re.search(message, error_line(capsys))
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_help_names_the_options(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run_fadm("face", "--help") == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("PICTURE", "--output", "--json", "--device"))
