from pathlib import Path

import pytest

from fadm.data.prepare.layouts import find_recordings, recognize_layout
from fadm.data.prepare.options import InputOptions
from fadm.errors import InputError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def find(*inputs: Path, **options) -> list[tuple[str, str, str, str]]:
    """Name, kind, identity and split of each recording."""
    recordings = find_recordings(inputs, InputOptions(**options))
    return [(r.name, r.kind, r.identity, r.split) for r in recordings]


def test_plain_videos_are_found_everywhere_below_and_named_by_their_file(tmp_path):
    touch(tmp_path, "b.MP4", "a/c d.mkv", "a/.hidden.mp4", ".hidden/e.mp4", "notes.txt", "still.png")
    assert find(tmp_path) == [("a-c-d", "video", "a/c d", ""), ("b", "video", "b", "")]
    assert [i for _, _, i, _ in find(tmp_path, identity_from="folder")] == ["a", tmp_path.name]
    (recording, _) = find_recordings([tmp_path], InputOptions(source="mine"))
    assert recording.source == "mine" and not recording.is_of_one
    assert find_recordings([tmp_path], InputOptions())[0].source == tmp_path.name


def test_a_file_that_is_given_is_a_video_whatever_its_name(tmp_path):
    touch(tmp_path, "clip.data")
    assert find(tmp_path / "clip.data") == [("clip-data", "video", "clip", "")]


def test_equal_names_are_numbered_and_keys_stay_short(tmp_path):
    touch(tmp_path, "x/a.mp4", "x/a.mkv", "x-a.mp4", "x-a-2.mp4", "p__q.mp4", f"{'long' * 50}.mp4", "人.mp4", "名.mp4")
    names = [name for name, *_ in find(tmp_path)]
    assert len(set(names)) == 8 and {"x-a", "x-a-2", "p-q"} <= set(names)
    assert all(name.isascii() and 0 < len(name) <= 66 and "__" not in name for name in names)
    touch(tmp_path / "other", "q.mp4")
    assert len({name for name, *_ in find(tmp_path / "other", tmp_path / "other")}) == 2


@pytest.mark.parametrize("below", ["", "dev/mp4"])
def test_voxceleb(tmp_path, below):
    touch(tmp_path / below, "id00012/21Uxsk56VDQ/00001.mp4", "id00017/_0-x/00002.m4v")
    assert recognize_layout(tmp_path) == "voxceleb"
    assert [identity for _, _, identity, _ in find(tmp_path)] == ["id00012", "id00017"]
    assert all(r.is_of_one for r in find_recordings([tmp_path], InputOptions()))


def test_raw_videos_with_the_person_as_first_folder(tmp_path):
    touch(tmp_path, "Ann/v1.mp4", "Ben/x/v2.mp4")
    assert recognize_layout(tmp_path) == "videos"
    assert [identity for _, _, identity, _ in find(tmp_path, layout="voxceleb")] == ["Ann", "Ben"]


def test_celeba_with_its_lists(tmp_path):
    touch(tmp_path, *(f"img_align_celeba/00000{i}.jpg" for i in range(1, 4)))
    assert find(tmp_path)[0] == ("000001", "still", "000001", "")
    (tmp_path / "identity_CelebA.txt").write_text("000001.jpg 2880\n000002.jpg 2937\n000003.jpg 2880\n")
    (tmp_path / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 0\n000003.jpg 2\n")
    assert recognize_layout(tmp_path) == "celeba"
    assert find(tmp_path) == [
        ("000003", "still", "2880", "test"),
        ("000001", "still", "2880", "train"),
        ("000002", "still", "2937", "train"),
    ]
    (tmp_path / "identity_CelebA.txt").write_text("000001.jpg\n")
    with pytest.raises(InputError, match=r"identity_CelebA.txt' has lines that are not a picture's name and a number"):
        find(tmp_path)


def test_pictures_beside_the_identities(tmp_path):
    touch(tmp_path, "000001.png")
    (tmp_path / "identity_CelebA.txt").write_text("000001.jpg 7\n")
    assert find(tmp_path) == [("000001", "still", "7", "")]


def test_frame_folders_of_train_and_test(tmp_path):
    touch(tmp_path, "train/id1#abc#000.mp4/0000000.png", "test/id2#x#1.mp4/0.png", "test/id3#y#1.mp4", "test/no.txt")
    assert recognize_layout(tmp_path) == "frames"
    assert find(tmp_path) == [
        ("test-id2-x-1", "frames", "id2", "test"),
        ("test-id3-y-1", "video", "id3", "test"),
        ("train-id1-abc-000", "frames", "id1", "train"),
    ]
    assert all(r.is_cut and r.is_of_one for r in find_recordings([tmp_path], InputOptions()))
    assert find(tmp_path / "train") == [("id1-abc-000", "frames", "id1", "")]


def test_videos_in_a_folder_named_train_are_plain_videos(tmp_path):
    touch(tmp_path, "train/a.mp4", "clip #1.mp4")
    assert find(tmp_path) == [("clip-1", "video", "clip #1", ""), ("train-a", "video", "train/a", "")]
    assert not any(r.is_cut for r in find_recordings([tmp_path], InputOptions()))


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ("auto", r"holds nothing in the layout 'videos'; give files that end in .*\.mp4.*--layout celeba"),
        ("voxceleb", "give files that end in"),
        ("frames", "in which each clip is a folder of pictures"),
        ("celeba", "with identity_CelebA.txt beside them"),
    ],
)
def test_a_folder_with_nothing_in_the_layout(tmp_path, layout, said):
    touch(tmp_path, "notes.txt")
    with pytest.raises(InputError, match=said):
        find(tmp_path, layout=layout)


def test_what_does_not_exist(tmp_path):
    with pytest.raises(InputError, match=r"none.mp4' does not exist; give videos"):
        find(tmp_path / "none.mp4")
