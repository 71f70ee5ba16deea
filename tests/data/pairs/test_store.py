import os
import pickle
import signal
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from fadm.data.clips import read_face
from fadm.data.pairs.generators import CoarsePair
from fadm.data.pairs.store import PairOptions, build_coarse_pairs
from fadm.data.shards import StoredPicture
from fadm.errors import InputError, OutputError
from fadm.face.topology import EYES, mirror_partners
from fadm.media.image import write_image
from tests.data.made_up_clips import SIDE, MixingMaker, write_clips

OPTIONS = PairOptions(size=SIDE, sources_per_clip=2, drivings_per_source=3)
ROWS_OF_A_CLIP = 2 * 2 * 3


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return write_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def pairs(clips, tmp_path_factory):
    return build_coarse_pairs(clips, OPTIONS, MixingMaker(), tmp_path_factory.mktemp("pairs"))


@dataclass(frozen=True)
class KilledMaker(MixingMaker):
    """The process is gone in the middle of the second clip."""

    def __call__(self, source, drivings, draws):
        for number, pair in enumerate(super().__call__(source, drivings, draws)):
            if number == 1 and int(self.log.read_text()) > ROWS_OF_A_CLIP + 3:
                os.kill(os.getpid(), signal.SIGKILL)
            yield pair


def test_each_clip_has_its_pairs_of_two_frames(clips, pairs):
    assert len(pairs) == 3 * ROWS_OF_A_CLIP
    assert pairs.groups() == [list(range(ROWS_OF_A_CLIP * i, ROWS_OF_A_CLIP * (i + 1))) for i in range(3)]
    for row in range(len(pairs)):
        (source, driving), made = pairs.frames(row), pairs.coarse(row)
        np.testing.assert_array_equal(made.coarse, source // 2 + driving.pixels // 2)
        assert not np.array_equal(source, driving.pixels)
        assert made.attributes.shape == (2, 56) and made.person is None and made.confidence is None
        assert not np.array_equal(made.attributes[0], made.attributes[1])


def test_layers_are_kept_beside_the_coarse_frame(clips, tmp_path):
    generator = MixingMaker("with layers", layers=("person", "confidence"))
    pairs = build_coarse_pairs(clips[:1], OPTIONS, generator, tmp_path)
    pair = pairs.coarse(0)
    assert pair.person.shape == (2, SIDE, SIDE) and (pair.person == 100).all()
    assert pair.confidence.shape == (SIDE, SIDE) and (pair.confidence == 200).all()


def test_stills_are_read_as_they_are_and_their_sources_kept(clips, tmp_path):
    """Of a sample with one picture it is source and driving frame, for a maker that moves it."""
    sizes = []

    @dataclass(frozen=True)
    class Maker(MixingMaker):
        def __call__(self, source, drivings, rng):
            sizes.append({len(face.pixels) for face in (source, *drivings)})
            half = source.pixels[::2, ::2]
            yield from (CoarsePair(half // 2, np.zeros((2, 56), np.float32), still=half) for _ in drivings)

    single = replace(clips[0], pictures=clips[0].pictures[:1])
    options = PairOptions(size=SIDE // 2, sources_per_clip=2, drivings_per_source=1, mirrored=False)
    pairs = build_coarse_pairs([single, clips[1]], options, Maker("of stills", layers=("still",)), tmp_path)
    assert sizes == 4 * [{SIDE}]
    for row in range(2):
        source, driving = pairs.frames(row)
        np.testing.assert_array_equal(source, read_face(single, 0, None).pixels[::2, ::2])
        np.testing.assert_array_equal(driving.pixels, read_face(single, 0, SIDE // 2).pixels)
    assert all(record["source"] != record["driving"] for record in pairs.rows[2:])


def test_half_of_the_pairs_are_mirrored(clips, pairs):
    mirrored = [bool(record["mirrored"]) for record in pairs.rows]
    assert mirrored == 3 * (6 * [False] + 6 * [True])
    row = mirrored.index(True)
    source, _ = pairs.frames(row)
    straight = read_face(clips[0], int(pairs.rows[row]["source"]), SIDE)
    np.testing.assert_array_equal(source, straight.pixels[:, ::-1])


def test_a_mirrored_face_keeps_its_right_eye_on_its_right(clips):
    plain, mirrored = (read_face(clips[0], 0, SIDE, mirrored) for mirrored in (False, True))
    expected = plain.landmarks[mirror_partners()] * (-1, 1, 1) + (SIDE - 1, 0, 0)
    np.testing.assert_allclose(mirrored.landmarks, expected, rtol=1e-6)
    for face in (plain, mirrored):
        right, left = (face.landmarks[list(iris), 0].mean() for _, _, iris in EYES)
        assert right < left  # the person's right is the picture's left
        # the irises are darker than the skin around the nose: landmarks lie where the picture shows them
        x, y = face.landmarks[EYES[0][2][0], :2].round().astype(int)
        assert face.pixels[y, x].sum() < 0.7 * face.pixels[tuple(face.landmarks[4, 1::-1].round().astype(int))].sum()


def test_frames_are_scaled_with_their_landmarks(clips):
    small, large = (read_face(clips[0], 0, size) for size in (SIDE, 2 * SIDE))
    assert large.pixels.shape == (2 * SIDE, 2 * SIDE, 3)
    np.testing.assert_allclose(large.landmarks[:, :2] + 0.5, 2 * (small.landmarks[:, :2] + 0.5), rtol=1e-5)


def test_pairs_are_made_once(clips, pairs):
    told = []
    again = build_coarse_pairs(
        clips, OPTIONS, MixingMaker(), pairs.path.parent, report=lambda done, total: told.append((done, total))
    )
    assert again.path == pairs.path and told == [(1, 3), (2, 3), (3, 3)]

    def refuse(*arguments):
        raise AssertionError("made again")

    refuse.name, refuse.layers = MixingMaker().name, ()
    assert build_coarse_pairs(clips, OPTIONS, refuse, pairs.path.parent).path == pairs.path


def test_killed_in_the_middle_it_goes_on(clips, pairs, tmp_path):
    maker = KilledMaker(log=tmp_path / "log")
    child = os.fork()
    if not child:
        build_coarse_pairs(clips, OPTIONS, maker, tmp_path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    done = int(maker.log.read_text())
    assert ROWS_OF_A_CLIP < done < 2 * ROWS_OF_A_CLIP
    rest = MixingMaker(log=tmp_path / "rest")
    whole = build_coarse_pairs(clips, OPTIONS, rest, tmp_path)
    assert whole.path.read_bytes() == pairs.path.read_bytes()
    assert int(rest.log.read_text()) == len(whole) - (done - done % OPTIONS.drivings_per_source)
    assert [path.name for path in tmp_path.glob("pairs*")] == [whole.path.name]


def test_a_row_that_is_not_whole_is_made_again(clips, pairs, tmp_path):
    made = build_coarse_pairs(clips, OPTIONS, MixingMaker(), tmp_path)
    rows = np.load(made.path, mmap_mode="r+")
    rows[7]["coarse"][3:] = 0  # a page that did not reach the disk
    rows.flush()
    again = MixingMaker(log=tmp_path / "log")
    build_coarse_pairs(clips, OPTIONS, again, tmp_path)
    assert made.path.read_bytes() == pairs.path.read_bytes()
    assert again.log.read_text() == str(OPTIONS.drivings_per_source)


def test_what_the_pairs_depend_on_is_in_the_name(clips, pairs, tmp_path):
    names = {pairs.path.name}
    for number, options in enumerate((replace(OPTIONS, seed=1), replace(OPTIONS, augmented=0.5)), 2):
        names.add(build_coarse_pairs(clips[:1], options, MixingMaker(), tmp_path).path.name)
        assert len(names) == number
    names.add(build_coarse_pairs(clips[:1], OPTIONS, MixingMaker(), tmp_path).path.name)
    names.add(build_coarse_pairs(clips[:1], OPTIONS, MixingMaker("another"), tmp_path).path.name)
    assert len(names) == 5


def test_clips_that_cannot_make_pairs_are_refused(clips, tmp_path):
    still = replace(clips[1], pictures=clips[1].pictures[:1])
    with pytest.raises(InputError, match=f"too short: {still.key}"):
        build_coarse_pairs([clips[0], still], OPTIONS, MixingMaker(), tmp_path)
    with pytest.raises(InputError, match="no clip given"):
        build_coarse_pairs([], OPTIONS, MixingMaker(), tmp_path)
    path = tmp_path / "wide.png"
    write_image(path, np.zeros((48, 64, 3), np.uint8))
    wide = replace(clips[0], pictures=(StoredPicture(path, 0, path.stat().st_size),))
    with pytest.raises(InputError, match=r"a frame is 64x48; clips are squares"):
        read_face(wide, 0, SIDE)


def test_too_little_room_is_said_before_anything_is_made(clips, tmp_path, monkeypatch):
    free = len(clips) * ROWS_OF_A_CLIP * 3 * SIDE**2
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free))
    with pytest.raises(OutputError, match=r"the pairs need 0\.0 GB in .*; make space or set data\.cache"):
        build_coarse_pairs(clips, OPTIONS, MixingMaker(), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_several_processes_make_the_same_file(clips, pairs, tmp_path):
    made = build_coarse_pairs(clips, OPTIONS, MixingMaker(), tmp_path, workers=2)
    assert made.path.read_bytes() == pairs.path.read_bytes()


def test_another_process_is_sent_the_name_of_the_file_and_not_its_rows(pairs):
    sent = pickle.dumps(pairs)
    assert len(sent) < pairs.rows.nbytes / 2
    np.testing.assert_array_equal(pickle.loads(sent).rows, pairs.rows)
