import json

import numpy as np
import pytest

from fadm.data.retrack import retrack_shards
from fadm.data.shard_writer import read_members
from fadm.data.shards import read_tracked_clips
from fadm.errors import InputError, OutputError
from fadm.face.landmarker import LANDMARK_MODEL
from tests.data.test_shards import pack, write_shard
from tests.evaluation.synthetic_clips import pack_png
from tests.face.portraits import read_portrait


@pytest.fixture
def shard(tmp_path):
    """A clip of three frames, the second of them grey, tracked by no named model and one pixel too far right."""
    portrait = read_portrait()
    fractions = ((portrait.landmarks + np.array([1.5, 0.5, 0])) / 256)[None].repeat(3, 0).astype(np.float16)
    pictures = (portrait.pixels, np.full_like(portrait.pixels, 128), portrait.pixels)
    content = {f"a.{i:02d}.png": pack_png(pixels) for i, pixels in enumerate(pictures)}
    info = {"identity": "someone", "frames": 3, "frame_numbers": [4, 5, 8], "window": [0, 1, 256]}
    content |= {"a.landmarks.npy": pack(fractions), "a.json": json.dumps(info).encode()}
    (tmp_path / "old").mkdir()
    return write_shard(tmp_path / "old" / "clips.tar", content)


def test_pictures_are_tracked_and_frames_without_a_face_left_out(shard, tmp_path):
    with pytest.raises(
        InputError, match=r"landmark model is not named, not .*: fadm data retrack .*clips.tar -o FOLDER"
    ):
        list(read_tracked_clips([shard]))
    summary = retrack_shards([shard], tmp_path / "new")
    assert summary.as_dict() == {"clips": 1, "frames": 2, "lost_clips": 0, "lost_frames": 1}
    (clip,) = read_tracked_clips([tmp_path / "new" / "clips.tar"])
    assert clip.info["window"] == [0, 1, 256]  # as many numbers as there were frames, and not one for each
    assert clip.info["frame_numbers"] == [4, 8] and clip.info["frames"] == 2 and len(clip.pictures) == 2
    assert clip.info["landmark_model"] == LANDMARK_MODEL and clip.identity == "someone"
    portrait = read_portrait()
    np.testing.assert_allclose(clip.landmarks[0, :, :2] * 256 - 0.5, portrait.landmarks[:, :2], atol=0.5)
    np.testing.assert_array_equal(clip.pictures[1].read(), portrait.pixels)


def test_it_resumes_with_the_shards_that_are_missing(shard, tmp_path):
    retrack_shards([shard], tmp_path / "new")
    before = (tmp_path / "new" / "clips.tar").read_bytes()
    shard.unlink()
    write_shard(shard, {})
    assert retrack_shards([shard], tmp_path / "new").clips == 0
    assert (tmp_path / "new" / "clips.tar").read_bytes() == before


def test_what_cannot_be_tracked_is_refused(shard, tmp_path):
    with pytest.raises(OutputError, match="is an input or inside one"):
        retrack_shards([shard], shard.parent)
    with pytest.raises(InputError, match="two of the shards have the same name"):
        retrack_shards([shard, shard], tmp_path / "new")
    files = dict(read_members(shard)) | {"a.00.png": b"no picture"}
    with pytest.raises(InputError, match="the clip a cannot be read"):
        retrack_shards([write_shard(tmp_path / "damaged.tar", files)], tmp_path / "new")
