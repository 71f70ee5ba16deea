from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from fadm.animation.animator import Animator
from fadm.animation.face_cards import draw_card
from fadm.animation.inspection import inspect_file, inspect_picture
from fadm.attributes.deca_face import load_head_networks
from fadm.blendshapes import BLENDSHAPES
from fadm.controls import FaceControls
from fadm.device import choose_device
from fadm.errors import FaceError, InputError, OutputError
from fadm.face.region import turn_points
from fadm.face.selection import choose_face
from fadm.media.image import read_image
from fadm.options import EditOptions
from tests.attributes.stand_in_head import imported_heads
from tests.face.portraits import read_portrait, track_picture
from tests.media.samples import ASTRONAUT

HOPPER = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"


@pytest.fixture(scope="module")
def group() -> np.ndarray:
    """The astronaut, the admiral, and the astronaut again, smaller and higher."""
    picture = np.full((620, 1300, 3), 200, np.uint8)
    for path, left, top, side in ((ASTRONAUT, 0, 100, 500), (HOPPER, 510, 20, 600), (ASTRONAUT, 1020, 0, 280)):
        pasted = Image.open(path).convert("RGB")
        pasted.thumbnail((side, side))
        picture[top : top + pasted.height, left : left + pasted.width] = np.asarray(pasted)
    return picture


@pytest.fixture(scope="module")
def seen(group):
    return inspect_picture(group)


def test_faces_have_the_numbers_that_the_option_takes(group, seen):
    faces = track_picture(group)
    assert [face.number for face in seen] == [1, 2]
    for face in seen:
        chosen = faces[choose_face(faces, str(face.number), "group")]
        np.testing.assert_allclose(face.landmarks, chosen)


def test_a_face_is_described_by_numbers_alone(seen):
    described = seen[1].describe()
    assert described["face"] == 2 and described["is_large_enough"] and described["deca"] is None
    sizes = {name: np.shape(described[name]) for name in ("expression", "pose", "camera", "gaze", "lids", "landmarks")}
    assert sizes == {
        "expression": (50,),
        "pose": (6,),
        "camera": (3,),
        "gaze": (4,),
        "lids": (2,),
        "landmarks": (478, 3),
    }
    box = described["box"]
    assert 510 < box["left"] < box["right"] < 1022 and 20 < box["top"] < box["bottom"] < 620
    assert list(described["angles"]) == ["yaw", "pitch", "roll"]
    assert set(described["controls"]) <= set(vars(FaceControls()))
    assert set(described["blendshapes"]) == set(BLENDSHAPES)


def test_the_smiling_face_smiles_in_blendshapes_too(seen):
    astronaut, admiral = seen
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        assert astronaut.blendshapes[name] > 0.5 > admiral.blendshapes[name]
    assert "mouthSmileLeft 0." in astronaut.sentence()


def test_the_smiling_face_is_measured_so(seen):
    astronaut, admiral = (face.controls for face in seen)
    assert astronaut["smile"] > admiral["smile"] + 0.5
    assert astronaut["mouth_open"] > 0.5 and abs(admiral["mouth_open"]) < 0.2  # her lips are closed


@pytest.mark.parametrize(("name", "value", "least"), [("brows_up", 1, 0.4), ("pucker", 1, 0.4), ("mouth_open", 1, 0.3)])
def test_an_edit_is_seen(name, value, least):
    picture = read_image(ASTRONAUT)
    edited = Animator(device="cpu").edit(picture, FaceControls(**{name: value}), EditOptions())
    before, after = (inspect_picture(pixels)[0].controls[name] for pixels in (picture, edited))
    assert after > before + least


def test_a_turned_head_is_seen():
    picture = read_image(ASTRONAUT)
    edited = Animator(device="cpu").edit(picture, FaceControls(yaw=20, roll=-15), EditOptions())
    before, after = (inspect_picture(pixels)[0].angles for pixels in (picture, edited))
    assert after["yaw"] - before["yaw"] > 8 and after["roll"] - before["roll"] < -8


def test_the_person_is_found_around_the_face():
    face = inspect_picture(read_portrait().pixels)[0]
    assert face.person[128, 128] > 0.9 and face.person[:20, 236:].max() < 0.1


def test_deca_reads_every_face(tmp_path):
    with imported_heads(tmp_path):
        seen = inspect_file(ASTRONAUT, device="cpu")
    assert "importing" not in seen.report()
    face = seen.faces[0]
    described = face.describe()["deca"]
    assert described["crop"] == {"left": face.crop.left, "top": face.crop.top, "side": face.crop.side}
    sizes = {name: np.shape(values) for name, values in described.items() if name != "crop"}
    assert sizes["shape"] == (100,) and sizes["light"] == (9, 3) and sizes["landmarks"] == (68, 2)
    assert sizes["skin_landmarks"] == (68, 3)
    chin, found = face.landmarks[152, :2], np.array(described["landmarks"][8])
    assert np.linalg.norm(chin - found) < 0.15 * face.size[1]  # the stand-in's mesh lies on the face


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_lying_face_is_measured_upright_and_placed_as_it_lies(tmp_path, turns):
    pixels = np.ascontiguousarray(read_image(ASTRONAUT)[:400])
    lying = np.ascontiguousarray(np.rot90(pixels, -turns))
    with imported_heads(tmp_path):
        networks = load_head_networks(choose_device("cpu"))
    (upright,), (face,) = (inspect_picture(picture, networks=networks) for picture in (pixels, lying))
    assert face.turns == turns and upright.turns == 0
    assert face.angles == pytest.approx(upright.angles, abs=1)
    assert face.blendshapes == pytest.approx(upright.blendshapes, abs=0.05)
    assert "counter-clockwise" in face.sentence() and "counter-clockwise" not in upright.sentence()
    back = turn_points(face.landmarks, lying.shape[:2], turns)
    np.testing.assert_allclose(back[:, :2], upright.landmarks[:, :2], atol=2)
    for name in ("crop", "region"):
        turned = getattr(face, name).turned(lying.shape[:2], turns)
        np.testing.assert_allclose([*vars(turned).values()], [*vars(getattr(upright, name)).values()], atol=3)
    assert np.abs(np.rot90(face.person, turns) - upright.person).mean() < 0.02
    points, expected = (np.array(seen.describe()["deca"]["landmarks"]) for seen in (face, upright))
    np.testing.assert_allclose(turn_points(points, lying.shape[:2], turns), expected, atol=4)
    card, upright_card = (np.array(draw_card(p, seen, 1)).astype(int) for p, seen in ((lying, face), (pixels, upright)))
    assert np.abs(card - upright_card).mean() < 8


@pytest.mark.parametrize(
    ("parts", "named"),
    [({"has_mesh": False}, "FLAME and FLAME's landmarks"), (None, "DECA, FLAME and FLAME's landmarks")],
)
def test_what_the_mesh_lacks_is_named_in_one_line(tmp_path, monkeypatch, parts, named):
    monkeypatch.setenv("FADM_HOME", str(tmp_path))
    if parts is None:
        report = inspect_file(ASTRONAUT, device="cpu").report()
    else:
        with imported_heads(tmp_path, **parts):
            report = inspect_file(ASTRONAUT, device="cpu").report()
    *_, last = report.splitlines()
    assert last == f"importing {named} adds DECA's mesh with its landmarks: fadm weights import FILE"


def test_nothing_is_written_unless_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert inspect_file(ASTRONAUT, device="cpu").output is None
    assert list(tmp_path.iterdir()) == []


def test_a_small_face_is_listed_and_said_to_be_too_small():
    portrait = Image.fromarray(read_portrait().pixels)
    face = inspect_picture(np.array(portrait.resize((40, 40))))[0]
    assert not face.is_large_enough and "too small, 24 are needed" in face.sentence()


def test_a_picture_without_a_face():
    with pytest.raises(FaceError, match=r"^blue: no face found"):
        inspect_picture(np.full((200, 200, 3), (0, 0, 255), np.uint8), where="blue")


def test_the_output_is_checked_before_any_work(tmp_path):
    with pytest.raises(OutputError, match=r"is not the name of a picture; end it in \.png"):
        inspect_file(tmp_path / "missing.png", tmp_path / "a.mp4")
    with pytest.raises(OutputError, match="is an input"):
        inspect_file(tmp_path / "a.png", tmp_path / "a.png")
    with pytest.raises(InputError, match="cannot be opened"):
        inspect_file(tmp_path / "missing.png", tmp_path / "a.png")
