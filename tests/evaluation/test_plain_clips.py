"""Two plain folders, of results and of what they should be, as a user without shards has them."""

from fractions import Fraction

import numpy as np
import pytest

from fadm.errors import InputError, OptionError
from fadm.evaluation.build import build_evaluation, choose_pairs, read_clips
from fadm.evaluation.options import TWO_FOLDERS, RunOptions
from fadm.evaluation.plain_clips import read_plain_clips
from fadm.evaluation.run import run_and_write
from fadm.media.image import write_image
from tests.clips import write_clip
from tests.evaluation.synthetic_clips import SIDE, run_on, swaying_head, write_shard

WIDE = slice(20, 216)  # rows of a picture that is no square


def frames_of():
    return [pixels for pixels, _ in swaying_head()]


def write_pictures(folder, pictures):
    folder.mkdir(parents=True)
    for index, pixels in enumerate(pictures):
        write_image(folder / f"{index}.png", pixels)


def compare_folders(truth, results, folder, **given):
    """-> means, and the table's text."""
    options = RunOptions(protocol=TWO_FOLDERS, **{"metrics": "pixel,landmarks,temporal"} | given)
    clips = read_clips([truth], TWO_FOLDERS)
    pairs = choose_pairs(clips, options, None)
    report, _ = run_and_write(build_evaluation(str(results), clips, pairs, options, "cpu"), folder, options)
    return report["means"], (folder / "table.md").read_text()


@pytest.fixture
def truth(tmp_path):
    """A video, a folder of wide frames and a picture."""
    folder = tmp_path / "truth"
    folder.mkdir()
    write_clip(folder / "spoken.mp4", frames_of())
    write_pictures(folder / "wide.v1", [pixels[WIDE] for pixels in frames_of()])
    write_image(folder / "still.png", frames_of()[1])
    return folder


def test_each_result_is_measured_against_the_file_of_its_name(tmp_path, truth):
    results = tmp_path / "results"
    results.mkdir()
    write_clip(results / "spoken.mp4", frames_of())
    write_pictures(results / "wide.v1", [np.roll(pixels[WIDE], 2, axis=1) for pixels in frames_of()])
    write_image(results / "still.jpg", frames_of()[1])
    means, text = compare_folders(truth, results, tmp_path / "run", report=True)
    assert "# results: two-folders" in text and "3 cases, 9 frames" in text and "Frames made: result 9" in text
    assert means["akd_x"]["result"] == pytest.approx(2 * 256 / SIDE * 4 / 9, abs=0.1) and means["akd_y"]["result"] < 0.1
    assert means["missing_face"]["result"] == 0 and np.isfinite(means["l1_mouth_eyes"]["result"])
    assert "another" not in text and (tmp_path / "run" / "report.html").stat().st_size > 10_000


def test_stored_and_tracked_landmarks_give_nearly_the_same(tmp_path):
    write_pictures(tmp_path / "truth" / "clip-a", frames_of())
    write_pictures(tmp_path / "made" / "clip-a", frames_of()[:1] * 4)
    found, _ = compare_folders(tmp_path / "truth", tmp_path / "made", tmp_path / "run", metrics="pixel,attributes")
    options = {"protocol": "reconstruction", "metrics": "pixel,attributes"}
    wanted = run_on(write_shard(tmp_path / "a.tar"), str(tmp_path / "made"), tmp_path / "shards", **options)
    assert found["l1"] == wanted["l1"]
    for name in ("l1_face", "l1_mouth_eyes", "head_angle"):
        assert found[name]["result"] == pytest.approx(wanted[name]["result"], rel=0.1)


def test_what_does_not_fit_is_said(tmp_path, truth):
    results = tmp_path / "results"
    results.mkdir()
    write_clip(results / "spoken.mp4", frames_of()[:3], rate=Fraction(50))
    write_image(results / "other.png", frames_of()[0])
    write_image(results / "still.png", frames_of()[0][:, :128])
    _, text = compare_folders(truth, results, tmp_path / "run")
    assert "- missing: 1 result (no file or folder is named wide.v1)" in text
    assert "- another length: 1 result (spoken.mp4 has only 3 frames, the driver 4" in text
    assert "- another rate: 1 result (spoken.mp4 has 50 frames per second, the driver 25" in text
    assert "- another size: 1 result (still.png has 128x256 pixels, scaled to 256x256)" in text
    assert "without a case: 1 names are not those of cases and were not read, such as other" in text


def test_a_truth_without_a_face_leaves_the_face_metrics_empty(tmp_path):
    grey = np.full((SIDE, SIDE, 3), 90, np.uint8)
    for name in ("truth", "made"):
        write_pictures(tmp_path / name / "clip", [grey + 1 if name == "made" else grey] * 3)
    means, _ = compare_folders(tmp_path / "truth", tmp_path / "made", tmp_path / "run", metrics="all")
    assert means["l1"]["result"] == pytest.approx(1 / 255) and means["missing_face"]["result"] == 1
    assert "akd" not in means and "l1_face" not in means and "csim_dlib" not in means


def test_frames_are_read_in_order_and_again(truth):
    (clip,) = (clip for clip in read_plain_clips(truth) if clip.key == "spoken")
    first = clip.pictures[0].read()
    third = clip.pictures[2].read()
    np.testing.assert_array_equal(clip.pictures[2].read(), third)
    np.testing.assert_array_equal(clip.pictures[0].read(), first)
    assert np.abs(first.astype(int) - third).max() > 50


def test_a_video_that_was_read_to_its_end_is_closed(truth):
    (clip,) = (clip for clip in read_plain_clips(truth) if clip.key == "spoken")
    reader = clip.pictures[0].reader
    last = clip.pictures[3].read()
    assert next(reader._coming, None) is None  # many videos would be too many open files
    np.testing.assert_array_equal(clip.pictures[3].read(), last)
    assert clip.pictures[1].read().shape == last.shape and next(reader._coming) is not None


def test_mistakes_are_said_before_any_work(tmp_path, truth):
    (truth / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"broken.mp4"):
        read_plain_clips(truth)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no video, no picture and no folder of frames"):
        read_plain_clips(tmp_path / "empty")
    (truth / "broken.mp4").unlink()
    with pytest.raises(OptionError, match="unmoved: --protocol two-folders measures results that are there"):
        compare_folders(truth, "unmoved", tmp_path / "run")
    with pytest.raises(InputError, match="--protocol two-folders"):
        read_clips([truth])
