import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fadm.data.shards import read_tracked_clips
from fadm.errors import InputError
from fadm.face.landmarker import LANDMARK_MODEL


def pack(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def make_landmarks(seed: int, num_frames: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).random((num_frames, 478, 3)).astype(np.float16)


def write_shard(path: Path, content: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def make_content(keys: list[str]) -> dict[str, bytes]:
    content = {}
    for seed, key in enumerate(keys):
        content[f"{key}.00.jpg"] = b"not read"
        content[f"{key}.landmarks.npy"] = pack(make_landmarks(seed))
        content[f"{key}.json"] = json.dumps({"clip": key, "landmark_model": LANDMARK_MODEL}).encode()
    return content


def test_clips_of_all_shards_come_in_order(tmp_path):
    shards = [
        write_shard(tmp_path / "0.tar", make_content(["a", "b"])),
        write_shard(tmp_path / "1.tar", make_content(["c"])),
    ]
    clips = list(read_tracked_clips(shards))
    assert [clip.key for clip in clips] == ["a", "b", "c"]
    assert clips[1].landmarks.shape == (3, 478, 3) and clips[1].landmarks.dtype == np.float32
    np.testing.assert_array_equal(clips[1].landmarks, make_landmarks(1).astype(np.float32))
    assert clips[2].info == {"clip": "c", "landmark_model": LANDMARK_MODEL}


@pytest.mark.parametrize("folder", [".", "./v1.2", "clips.d"])
def test_the_key_ends_at_the_first_dot_of_the_base_name(tmp_path, folder):
    content = {f"{folder}/{name}": data for name, data in make_content(["a", "b"]).items()}
    shard = write_shard(tmp_path / "clips.tar", content)
    clips = list(read_tracked_clips([shard]))
    assert [clip.key for clip in clips] == [f"{folder}/a", f"{folder}/b"]
    assert clips[1].info["clip"] == "b" and len(clips[1].pictures) == 1


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_pictures_are_read_by_place(tmp_path, ending):
    ramp = np.stack(np.broadcast_arrays(*np.ogrid[0:240:16, 0:240:16], 128), axis=2).astype(np.uint8)
    content = make_content(["a"])
    del content["a.00.jpg"]
    for number in (0, 1):
        file = io.BytesIO()
        options = {"format": "JPEG", "quality": 100, "subsampling": 0} if ending == "jpg" else {"format": "PNG"}
        Image.fromarray(ramp + 10 * np.uint8(number)).save(file, **options)
        content[f"a.{number:02d}.{ending}"] = file.getvalue()
    (clip,) = read_tracked_clips([write_shard(tmp_path / "clips.tar", content)])
    assert len(clip.pictures) == 2
    for number, picture in enumerate(clip.pictures):
        pixels = picture.read()
        assert pixels.dtype == np.uint8
        tolerance = 3 if ending == "jpg" else 0
        np.testing.assert_allclose(pixels.astype(int), ramp.astype(int) + 10 * number, atol=tolerance)


def test_a_picture_that_is_gone_or_damaged_is_named(tmp_path):
    shard = write_shard(tmp_path / "clips.tar", make_content(["a"]))
    ((picture,),) = (clip.pictures for clip in read_tracked_clips([shard]))
    with pytest.raises(InputError, match=r"clips.tar: a picture in it cannot be read .*make the shard again"):
        picture.read()
    shard.unlink()
    with pytest.raises(InputError, match=r"clips.tar: a picture in it cannot be read"):
        picture.read()


def test_a_clip_that_does_not_say_is_a_person_of_its_own(tmp_path):
    content = make_content(["a", "b"]) | {
        "b.json": json.dumps({"identity": 7, "landmark_model": LANDMARK_MODEL}).encode()
    }
    clips = list(read_tracked_clips([write_shard(tmp_path / "clips.tar", content)]))
    assert [clip.identity for clip in clips] == ["a", "7"]


@pytest.mark.parametrize("missing", ["b.json", "b.landmarks.npy"])
def test_a_sample_needs_landmarks_and_description(tmp_path, missing):
    content = make_content(["a", "b"])
    del content[missing]
    with pytest.raises(InputError, match=r"clips.tar: samples need .* missing one: \['b'\]"):
        list(read_tracked_clips([write_shard(tmp_path / "clips.tar", content)]))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.landmarks.npy", b""),
        ("a.landmarks.npy", b"numbers"),
        ("a.landmarks.npy", pack(make_landmarks(0))[:500]),
        ("a.landmarks.npy", pack(make_landmarks(0)[:, :468])),
        ("a.json", b""),
        ("a.json", b"{'tier'}"),
        ("a.json", b"[1]"),
    ],
)
def test_a_damaged_member_is_refused(tmp_path, name, data):
    shard = write_shard(tmp_path / "clips.tar", make_content(["a"]) | {name: data})
    with pytest.raises(InputError, match=r"clips.tar: not a readable webdataset shard"):
        list(read_tracked_clips([shard]))


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_shard_is_refused(tmp_path, share):
    shard = write_shard(tmp_path / "clips.tar", make_content(["a", "b"]))
    content = shard.read_bytes()
    end = len(content.rstrip(b"\0"))
    shard.write_bytes(content[: int(share * end)])
    with pytest.raises(InputError, match=r"clips.tar: "):
        list(read_tracked_clips([shard]))


def test_files_that_are_no_shards(tmp_path):
    (tmp_path / "text.tar").write_text("clips")
    for name in ("text.tar", "none.tar", "."):
        with pytest.raises(InputError, match="not a readable webdataset shard"):
            list(read_tracked_clips([tmp_path / name]))
