import io
import tarfile

import numpy as np
import pytest

from fadm.data.shard_writer import ShardWriter, pack_array, pack_members, read_members
from fadm.errors import InputError, OutputError
from fadm.files import write_whole


def test_a_file_replaces_the_older_one_and_nothing_is_left_beside_it(tmp_path):
    write_whole(tmp_path / "a", b"old")
    write_whole(tmp_path / "a", b"new")
    assert [f.name for f in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_bytes() == b"new"
    with pytest.raises(OutputError, match=r"the folder .* does not exist"):
        write_whole(tmp_path / "none" / "a", b"")


def test_a_tar_holds_content_alone(tmp_path):
    members = {"a.json": b"{}", "a.x.npy": pack_array(np.ones(2, np.float16))}
    (tmp_path / "a.tar").write_bytes(pack_members(members))
    assert dict(read_members(tmp_path / "a.tar")) == members
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in tar} == {(0, 0, 0, "", "", 0o644)}
    array = np.load(io.BytesIO(members["a.x.npy"]))
    assert array.dtype == np.float16 and array.tolist() == [1, 1]


def test_shards_begin_anew_when_full_and_samples_stay_together(tmp_path):
    with ShardWriter(tmp_path, "clips", 4000) as writer:
        for key in "abcde":
            writer.write([(f"{key}.jpg", b"x" * 1000), (f"{key}.json", b"{}")])
    assert writer.names == ["clips-00000.tar", "clips-00001.tar", "clips-00002.tar"]
    names = [[name for name, _ in read_members(tmp_path / shard)] for shard in writer.names]
    assert names == [
        ["a.jpg", "a.json", "b.jpg", "b.json"],
        ["c.jpg", "c.json", "d.jpg", "d.json"],
        ["e.jpg", "e.json"],
    ]


def test_a_shard_whose_writing_fails_does_not_appear(tmp_path):
    with pytest.raises(ZeroDivisionError), ShardWriter(tmp_path, "clips", 100) as writer:
        writer.write([("a.jpg", b"x" * 1000)])
        writer.write([("b.jpg", b"x" * 1000)])
        raise ZeroDivisionError
    assert [f.name for f in tmp_path.iterdir()] == ["clips-00000.tar"]


def test_a_damaged_file_says_what_to_do(tmp_path):
    content = pack_members({"a": b"x" * 5000})
    (tmp_path / "a.tar").write_bytes(content[:3000])
    with pytest.raises(InputError, match=r"a.tar' cannot be read .*; delete it and run again"):
        dict(read_members(tmp_path / "a.tar"))
