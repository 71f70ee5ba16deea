import json
from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from fadm.attributes.anchoring import fill_gaps, find_anchors
from fadm.attributes.coefficients import build_faces
from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import FittedFace, LandmarkModel, fit_face, hash_numbers, load_landmark_model
from fadm.attributes.motion import Motion
from fadm.attributes.motion_files import load_motion, save_motion
from fadm.blendshapes import BLENDSHAPES
from fadm.errors import FaceError, InputError, OptionError, OutputError
from tests.attributes.made_up import make_attributes, make_mapped_model

MODEL = load_landmark_model()
HEAD = {"format": "fadm motion 2", "face_model": hash_numbers(MODEL)}
T, F = True, False


def make_motion(is_tracked: list[bool], shot: list[int] | None = None) -> Motion:
    """A motion at 25 frames per second; the mouth's first coefficient tells the frame's number."""
    count = len(is_tracked)
    attributes = make_attributes(count)
    attributes.expression[:, 0] = torch.arange(count)
    shots = torch.tensor(shot or [0] * count)
    identity = torch.randn(int(shots.max()) + 1, 40, generator=torch.Generator().manual_seed(0))
    return Motion(
        attributes,
        torch.tensor(is_tracked),
        shots,
        identity,
        torch.arange(count) * 512,
        Fraction(1, 12800),
        Fraction(25),
    )


def show_source(motion: Motion, frame: int) -> FittedFace:
    """A source that looks like the driver in a frame."""
    face = motion.attributes[[frame]]
    return fit_face(MODEL, build_faces(face, motion.identity[motion.shot[[frame]]], MODEL)[0])


def frames_shown(motion: Motion) -> list[float]:
    return [round(x, 4) for x in motion.attributes.expression[:, 0].tolist()]


@pytest.mark.parametrize(("name", "tolerance"), [("motion.json", 1e-5), ("motion.npz", 0), ("MOTION.NPZ", 0)])
def test_a_saved_motion_comes_back(tmp_path, name, tolerance):
    motion = make_motion([T, F, T, T], [0, 0, 1, 1])
    save_motion(motion, tmp_path / name)
    loaded = load_motion(tmp_path / name)
    for part in fields(FaceAttributes):
        found, expected = getattr(loaded.attributes, part.name), getattr(motion.attributes, part.name)
        torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)
    torch.testing.assert_close(loaded.identity, motion.identity, atol=tolerance, rtol=0)
    for part in ("is_tracked", "shot", "pts"):
        assert torch.equal(getattr(loaded, part), getattr(motion, part))
    assert (loaded.time_base, loaded.rate) == (Fraction(1, 12800), Fraction(25))
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["motion.json", "motion.npz"])
def test_blendshapes_come_back_by_their_names(tmp_path, name):
    blendshapes = torch.rand(3, 52, generator=torch.Generator().manual_seed(0))
    motion = replace(make_motion([T, T, T]), blendshapes=blendshapes)
    save_motion(motion, tmp_path / name)
    torch.testing.assert_close(load_motion(tmp_path / name).blendshapes, blendshapes, atol=1e-5, rtol=0)


def test_names_may_stand_in_any_order_and_be_missing(tmp_path):
    path = tmp_path / "motion.json"
    save_motion(make_motion([T, T]), path)
    assert load_motion(path).blendshapes is None  # as of a tracker that gives none
    own = {"blendshape_names": ["mouthPucker", "browDownLeft"], "blendshapes": [[0.5, 0.25], [1, 0]]}
    path.write_text(json.dumps(json.loads(path.read_text()) | own))
    read = load_motion(path).blendshapes
    assert read[:, BLENDSHAPES.index("mouthPucker")].tolist() == [0.5, 1] and read[:, 0].tolist() == [0.25, 0]
    assert read.count_nonzero() == 3


def test_a_file_without_lids_is_read(tmp_path):
    path = tmp_path / "motion.json"
    save_motion(make_motion([T, T]), path)
    content = json.loads(path.read_text())
    assert np.shape(content.pop("lids")) == (2, 2)
    path.write_text(json.dumps(content))
    assert torch.equal(load_motion(path).attributes.lids, torch.zeros(2, 2))


BAD_BLENDSHAPES = {
    "no names": ({"blendshape_names": None}, "missing or malformed"),
    "unknown": ({"blendshape_names": ["jawopen"]}, "'jawopen' is no blendshape, did you mean jawOpen"),
    "twice": ({"blendshape_names": ["jawOpen"] * 2}, "a name is twice"),
    "too narrow": ({"blendshape_names": ["jawOpen", "jawLeft"]}, "has not the shape for 2 frames of 2 names"),
    "too large": ({"blendshapes": [[0.5], [1.6]]}, "between 0 and 1.5"),
    "not a number": ({"blendshapes": [[0.5], [float("nan")]]}, "between 0 and 1.5"),
    "ragged": ({"blendshapes": [[0.5], []]}, "missing or malformed"),
}


@pytest.mark.parametrize("case", list(BAD_BLENDSHAPES))
def test_bad_blendshapes_are_named(tmp_path, case):
    change, message = BAD_BLENDSHAPES[case]
    path = tmp_path / "motion.json"
    save_motion(make_motion([T, T]), path)
    own = {"blendshape_names": ["jawOpen"], "blendshapes": [[0.5], [1]]} | change
    path.write_text(json.dumps(json.loads(path.read_text()) | own))
    with pytest.raises(InputError, match=f"motion.json'.*{message}"):
        load_motion(path)


def test_blendshapes_go_with_their_frames():
    blendshapes = torch.arange(10)[:, None].repeat(1, 52) / 10
    motion = replace(make_motion([T] * 10), blendshapes=blendshapes)
    torch.testing.assert_close(motion.between(0.12, 0.24).blendshapes[:, 0], torch.tensor([0.3, 0.4, 0.5]))
    gap = replace(motion[:3], is_tracked=torch.tensor([T, F, T]))
    filled = fill_gaps(replace(gap, blendshapes=torch.tensor([[0.0], [9], [1]])), "interpolate", [0])
    assert filled.blendshapes[:, 0].tolist() == [0, 0.5, 1]


def test_part_of_a_motion_begins_at_zero():
    part = make_motion([T] * 10, [0] * 4 + [1] * 6).between(0.12, 0.24)
    assert len(part) == 3
    assert frames_shown(part) == [3, 4, 5]
    assert part.pts.tolist() == [0, 512, 1024] and part.shot.tolist() == [0, 1, 1]
    assert len(make_motion([T] * 10).between(None, None)) == 10


def test_a_range_without_frames():
    with pytest.raises(InputError, match="no frame"):
        make_motion([T] * 10).between(5.0, None)


def test_anchors_are_the_first_or_nearest_frames_of_each_shot():
    motion = make_motion([F, T, T, F, T, T, F], [0, 0, 0, 1, 1, 1, 2])
    source = show_source(motion, 5)
    assert find_anchors(motion, MODEL, source, "first") == [1, 4, None]
    nearest = find_anchors(motion, MODEL, source, "auto")
    assert nearest[1:] == [5, None]
    assert nearest[0] in (1, 2)


def test_an_anchor_is_not_beside_a_gap():
    """Where one person fades into another, the faces beside the gap are neither's."""
    motion = make_motion([T] * 15 + [F] * 2 + [T] * 12, [0] * 17 + [1] * 12)
    before, after = find_anchors(motion, MODEL, show_source(motion, 14), "auto")
    assert before <= 6 and after >= 26
    assert find_anchors(motion, MODEL, show_source(motion, 27), "auto")[1] == 27


def test_frames_that_are_all_beside_a_gap_have_an_anchor():
    motion = make_motion([F, T, T, T, F, T])
    assert find_anchors(motion, MODEL, show_source(motion, 5), "auto") == [2]


def test_an_anchor_by_number_holds_for_its_shot():
    motion = make_motion([T, T, T, T], [0, 0, 1, 1])
    assert find_anchors(motion, MODEL, show_source(motion, 2), "1") == [1, 2]


@pytest.mark.parametrize("choice", ["1", "4"])
def test_an_anchor_needs_a_face(choice):
    motion = make_motion([T, F, T, T])
    with pytest.raises(OptionError, match=f"--anchor {choice}: no face in that frame; frames are 0 to 3"):
        find_anchors(motion, MODEL, show_source(motion, 0), choice)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("hold", [2, 2, 2, 3, 3, 3, 6, 6, 6]),
        ("interpolate", [2, 2, 2, 3, 4, 5, 6, 6, 6]),
        ("source", [3, 3, 2, 3, 3, 3, 6, 3, 3]),
    ],
)
def test_gaps_at_the_start_within_and_at_the_end(policy, expected):
    motion = make_motion([F, F, T, T, F, F, T, F, F])
    filled = fill_gaps(motion, policy, [3])
    assert filled.is_tracked.all()
    assert frames_shown(filled) == expected
    assert torch.equal(filled.pts, motion.pts)


@pytest.mark.parametrize(
    ("policy", "expected", "shots"),
    [
        ("hold", [0, 1, 1, 1, 4, 5], [0, 0, 0, 0, 1, 1]),
        ("interpolate", [0, 1, 1, 1, 4, 5], [0, 0, 0, 0, 1, 1]),
        ("source", [0, 1, 0, 0, 4, 5], [0, 0, 0, 0, 1, 1]),
    ],
)
def test_a_gap_across_a_cut_stays_with_the_shot_before_it(policy, expected, shots):
    filled = fill_gaps(make_motion([T, T, F, F, T, T], [0, 0, 0, 1, 1, 1]), policy, [0, 4])
    assert frames_shown(filled) == expected
    assert filled.shot.tolist() == shots


def test_interpolation_follows_time_not_frame_numbers():
    motion = replace(make_motion([T, F, T]), pts=torch.tensor([0, 300, 400]))
    assert frames_shown(fill_gaps(motion, "interpolate", [0])) == [0, 1.5, 2]


def test_stop_ends_before_the_first_gap():
    filled = fill_gaps(make_motion([T, T, F, T]), "stop", [0])
    assert frames_shown(filled) == [0, 1]


def test_without_gaps_nothing_changes():
    motion = make_motion([T, T])
    assert all(fill_gaps(motion, policy, [0]) is motion for policy in ("hold", "interpolate", "source", "stop"))


@pytest.mark.parametrize(("policy", "is_tracked"), [("stop", [F, T]), ("hold", [F, F])])
def test_no_frame_is_left(policy, is_tracked):
    with pytest.raises(FaceError, match="no face to follow"):
        fill_gaps(make_motion(is_tracked), policy, [1])


EXTRACT_AGAIN = "another face model, .*; extract it again: fadm motion extract VIDEO -o FILE"
BAD_CONTENT = {
    "other version": ({"format": "fadm motion 9"}, "no motion file of this version"),
    "first version": ({"format": "fadm motion 1"}, EXTRACT_AGAIN),
    "another face model": ({"face_model": "0" * 64}, EXTRACT_AGAIN),
    "no face model": ({"face_model": None}, EXTRACT_AGAIN),
    "not a number": ({"pose": [[float("nan")] * 6] * 2}, "pose holds values that are not finite"),
    "no value": ({"camera": [[None] * 3] * 2}, "camera holds values that are not finite"),
    "too narrow": ({"expression": [[0.0] * 49] * 2}, "expression has not the shape for 2 frames"),
    "too short": ({"gaze": [[0.0] * 4]}, "gaze has not the shape for 2 frames"),
    "ragged": ({"gaze": [[0.0] * 4, [0.0]]}, "missing or malformed"),
    "text": ({"gaze": "left"}, "missing or malformed"),
    "another model's identity": ({"identity": [[0.0] * 3]}, "identity has not the shape"),
    "no frames": ({"pts": []}, "has not the shape"),
    "unknown shot": ({"shot": [0, 1]}, "shot holds values that are not finite or out of range"),
    "time stands still": ({"pts": [3, 3]}, "times must grow"),
    "no rate": ({"rate": "0"}, "rate and scale of the camera must be above 0"),
    "endless rate": ({"rate": "1/0"}, "missing or malformed"),
    "rate of many digits": ({"rate": "25.123456789123"}, "time_base or rate has more digits than a video holds"),
    "unit of many digits": ({"time_base": "1/2147483648"}, "time_base or rate has more digits than a video holds"),
    "no scale": ({"camera": [[0.0, 1, 1]] * 2}, "scale of the camera must be above 0"),
    "huge number": ({"pts": [0, 10**30]}, "missing or malformed"),
}


@pytest.mark.parametrize("case", list(BAD_CONTENT))
def test_bad_content_is_named(tmp_path, case):
    change, message = BAD_CONTENT[case]
    path = tmp_path / "motion.json"
    save_motion(make_motion([T, T]), path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=f"motion.json'.*{message}"):
        load_motion(path)


@pytest.mark.parametrize("name", ["motion.json", "motion.npz"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "missing", "missing value"])
def test_damaged_files_are_refused(tmp_path, name, damage):
    path = tmp_path / name
    save_motion(make_motion([T, T]), path)
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("yaw 20")
    elif damage == "missing":
        path.unlink()
    elif name.endswith("json"):
        path.write_text(json.dumps(HEAD))
    else:
        np.savez(path, **HEAD)
    expected = {"missing": "cannot be read", "missing value": "missing or malformed"}.get(damage, "is no motion file")
    with pytest.raises(InputError, match=f"{name}'.*{expected}"):
        load_motion(path)


@pytest.mark.parametrize("name", ["motion.json", "motion.npz"])
def test_a_motion_drives_with_its_own_face_model_only(tmp_path, name):
    tensors = MODEL.state_dict()
    other = LandmarkModel(MODEL.config, tensors | {"expression_basis": tensors["expression_basis"].flip(0)})
    save_motion(make_motion([T, T]), tmp_path / name, other)
    assert len(load_motion(tmp_path / name, other)) == 2
    with pytest.raises(InputError, match=f"{name}' was made with {EXTRACT_AGAIN}"):
        load_motion(tmp_path / name)
    save_motion(make_motion([T, T]), tmp_path / name)
    assert len(load_motion(tmp_path / name, make_mapped_model(MODEL))) == 2  # another map, the same numbers


def test_a_damaged_byte_in_a_packed_file_is_refused(tmp_path):
    path = tmp_path / "motion.npz"
    save_motion(make_motion([T, T]), path)
    content = bytearray(path.read_bytes())
    content[120:160] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(InputError, match="is no motion file"):
        load_motion(path)


def test_a_single_array_is_no_motion_file(tmp_path):
    with (tmp_path / "motion.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InputError, match="is no motion file"):
        load_motion(tmp_path / "motion.npz")


def test_a_motion_needs_a_folder_to_be_written_to(tmp_path):
    with pytest.raises(OutputError, match="none"):
        save_motion(make_motion([T]), tmp_path / "none" / "motion.json")
