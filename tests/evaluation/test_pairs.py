import json
from dataclasses import replace

import numpy as np
import pytest

from fadm.data.shards import StoredPicture, TrackedClip
from fadm.errors import InputError, OptionError
from fadm.evaluation.options import DrawOptions
from fadm.evaluation.pairs import check_pairs, draw_pairs, read_pairs, write_pairs


def make_clip(key, num_frames, identity=None):
    pictures = tuple(StoredPicture(key, i, 1) for i in range(num_frames))
    landmarks = np.zeros((num_frames, 478, 3), np.float32)
    return TrackedClip(key, landmarks, {"identity": identity or key}, pictures)


CLIPS = [make_clip("c", 3), make_clip("a/x", 5, "p"), make_clip("b", 4, "p"), make_clip("short", 1)]


def test_random_pairs_are_even_distinct_and_of_one_clip():
    pairs = draw_pairs(CLIPS, DrawOptions(count=16))
    assert pairs.left_out == 1 and [case.name for case in pairs.cases] == [f"{i:05d}" for i in range(16)]
    by_clip = {clip.key: [case for case in pairs.cases if case.driving_clip == clip.key] for clip in CLIPS}
    assert sorted(len(cases) for cases in by_clip.values()) == [0, 5, 5, 6]
    for clip in CLIPS[:3]:
        drawn = [(case.source_frame, *case.driving_frames) for case in by_clip[clip.key]]
        assert len(set(drawn)) == len(drawn)  # 6 ordered pairs at least are there
        assert all(i != j and max(i, j) < len(clip.pictures) for i, j in drawn)


def test_more_pairs_than_there_are_come_again():
    pairs = draw_pairs([make_clip("a", 2)], DrawOptions(count=5))
    drawn = [(case.source_frame, *case.driving_frames) for case in pairs.cases]
    assert sorted(drawn)[0] == (0, 1) and set(drawn) == {(0, 1), (1, 0)} and len(drawn) == 5


def test_the_seed_decides_and_the_order_of_the_clips_does_not():
    first = draw_pairs(CLIPS, DrawOptions(count=9))
    assert draw_pairs(CLIPS[::-1], DrawOptions(count=9)) == first
    other = draw_pairs(CLIPS, DrawOptions(count=9, seed=1))
    assert other.sha256 != first.sha256


def test_reconstruction_takes_every_clip_from_its_first_frame():
    cases = draw_pairs(CLIPS, DrawOptions(protocol="reconstruction")).cases
    assert [(c.name, c.source_frame, len(c.driving_frames)) for c in cases] == [
        ("a__x", 0, 5),
        ("b", 0, 4),
        ("c", 0, 3),
    ]
    assert len(draw_pairs(CLIPS, DrawOptions(protocol="reconstruction", count=2)).cases) == 2


def test_single_pictures_are_sources_and_drive_only_each_other():
    pictures = [make_clip(name, 1) for name in "xyz"]
    mixed = draw_pairs([*CLIPS, *pictures], DrawOptions(protocol="cross-identity", count=40)).cases
    assert {case.driving_clip for case in mixed} == {"a/x", "b", "c"}
    assert {case.source_clip for case in mixed} >= {"x", "y", "z", "short"}
    assert len(draw_pairs(pictures, DrawOptions(protocol="cross-identity")).cases) == 3


def test_cross_identity_gives_another_person():
    people = {clip.key: clip.identity for clip in CLIPS}
    pairs = draw_pairs(CLIPS, DrawOptions(protocol="cross-identity", count=20))
    assert len(pairs.cases) == 20 and len({case.name for case in pairs.cases}) == 20 and not pairs.has_truth
    assert all(people[case.source_clip] != people[case.driving_clip] for case in pairs.cases)
    with pytest.raises(InputError, match="two people or more"):
        draw_pairs(CLIPS[1:3], DrawOptions(protocol="cross-identity"))


def test_a_file_holds_them_without_a_path(tmp_path):
    for protocol in ("random-pairs", "reconstruction", "cross-identity"):
        pairs = draw_pairs(CLIPS, DrawOptions(protocol=protocol, count=3))
        write_pairs(pairs, tmp_path / "pairs.json")
        assert read_pairs(tmp_path / "pairs.json") == pairs
        assert str(tmp_path) not in (tmp_path / "pairs.json").read_text()


def test_a_changed_file_is_refused(tmp_path):
    path = tmp_path / "pairs.json"
    write_pairs(draw_pairs(CLIPS, DrawOptions(count=3)), path)
    content = json.loads(path.read_text())
    content["cases"][0][4] = [0]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="was changed"):
        read_pairs(path)
    content["cases"][0][0] = "../out"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"no pair list .*a name that is no file's"):
        read_pairs(path)
    path.write_text("[]")
    with pytest.raises(InputError, match="no pair list"):
        read_pairs(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_pairs(tmp_path / "none.json")


def test_clips_that_do_not_fit_are_refused():
    pairs = draw_pairs(CLIPS, DrawOptions(count=9))
    check_pairs(pairs, CLIPS)
    with pytest.raises(OptionError, match=r"1 clips of the pair list are not in --data.*\(c\)"):
        check_pairs(pairs, CLIPS[1:])
    cut = replace(CLIPS[0], pictures=CLIPS[0].pictures[:1])
    with pytest.raises(OptionError, match="have fewer frames"):
        check_pairs(pairs, [cut, *CLIPS[1:]])
    with pytest.raises(InputError, match="needs clips of 2 frames with pictures, and none of the 1 is one"):
        draw_pairs(CLIPS[3:], DrawOptions())
    with pytest.raises(InputError, match="the same key: b"):
        draw_pairs([*CLIPS, CLIPS[2]], DrawOptions())
