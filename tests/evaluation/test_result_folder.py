import shutil
from fractions import Fraction

import numpy as np
import pytest

from fadm.errors import InputError, OptionError
from fadm.evaluation.options import DrawOptions
from fadm.evaluation.pairs import draw_pairs
from fadm.evaluation.result_folder import ResultFolder
from fadm.media.crop import resize_pixels
from fadm.media.image import write_image
from tests.clips import write_clip
from tests.evaluation.synthetic_clips import SIDE, read_shard, run_on, swaying_head

VIDEO = {"protocol": "reconstruction", "metrics": "pixel"}


def frames_of(mirrored=False):
    return [pixels for pixels, _ in swaying_head(mirrored=mirrored)]


def write_frames(folder, frames):
    folder.mkdir(parents=True)
    for index, pixels in enumerate(frames):
        write_image(folder / f"frame{index + 1}.png", pixels)  # natural order, whatever the names


def test_frame_folders_and_videos_are_matched_by_their_names(tmp_path, shard):
    write_frames(tmp_path / "made" / "clip-a", frames_of())
    write_clip(tmp_path / "made" / "clip-b.mp4", frames_of(mirrored=True))
    means = run_on(shard, str(tmp_path / "made"), tmp_path / "run", **VIDEO)
    assert 0 < means["l1"]["result"] < 0.02  # what the codec costs
    text = (tmp_path / "run" / "table.md").read_text()
    assert "# made: reconstruction" in text and "Frames made: result 8" in text and "another" not in text


def test_what_is_missing_or_unlike_is_said_and_nothing_is_skipped_silently(tmp_path, shard):
    made = tmp_path / "made"
    write_frames(made / "clip-a", [resize_pixels(pixels, 128, 128) for pixels in frames_of()[:3]])
    (made / "notes.txt").write_text("not a result")
    run_on(shard, str(made), tmp_path / "run", **VIDEO)
    text = (tmp_path / "run" / "table.md").read_text()
    assert "Frames made: result 3" in text and "2 cases, 8 frames, 1 driving clips" in text
    assert "- missing: 1 result (no file or folder is named clip-b)" in text
    assert "- another length: 1 result (clip-a has only 3 frames, the driver 4; the first are compared)" in text
    assert "- another size: 1 result (clip-a has 128x128 pixels, scaled to 256x256)" in text
    assert "- without a case: 1 names are not those of cases and were not read, such as notes" in text


def test_a_video_of_another_rate_or_a_broken_one_is_said(tmp_path, shard):
    made = tmp_path / "made"
    made.mkdir()
    write_clip(made / "clip-a.mp4", [*frames_of(), *frames_of()], rate=Fraction(50))
    (made / "clip-b.mp4").write_bytes(b"no video")
    means = run_on(shard, str(made), tmp_path / "run", **VIDEO)
    text = (tmp_path / "run" / "table.md").read_text()
    assert "clip-a.mp4 has 50 frames per second, the driver 25; frames are compared by their number" in text
    assert "clip-a.mp4 has more frames, the driver 4; the first are compared" in text
    assert "- unreadable: 1 result (clip-b.mp4: " in text and str(tmp_path) not in text
    assert means["l1"]["result"] < 0.02


def test_a_result_without_a_face_counts_as_such(tmp_path, shard):
    cases = draw_pairs(read_shard(shard), DrawOptions(count=2)).cases
    for case, pixels in zip(cases, (frames_of()[0], np.full((SIDE, SIDE, 3), 90, np.uint8)), strict=True):
        (tmp_path / "made").mkdir(exist_ok=True)
        write_image(tmp_path / "made" / f"{case.name}.png", pixels)
    means = run_on(shard, str(tmp_path / "made"), tmp_path / "run", count=2, metrics="landmarks,identity")
    assert means["missing_face"]["result"] == 0.5 and np.isfinite(means["akd"]["result"])
    assert np.isfinite(means["csim_dlib"]["result"])


def test_frames_made_anew_begin_a_new_run_and_a_dangling_name_is_an_error(tmp_path, shard):
    write_frames(tmp_path / "made" / "clip-a", frames_of())
    run_on(shard, str(tmp_path / "made"), tmp_path / "run", **VIDEO)
    write_image(tmp_path / "made" / "clip-a" / "frame1.png", frames_of()[0] // 2)
    with pytest.raises(OptionError, match="holds a run with another files"):
        run_on(shard, str(tmp_path / "made"), tmp_path / "run", **VIDEO)
    (tmp_path / "made" / "clip-b.mp4").symlink_to(tmp_path / "nowhere.mp4")
    with pytest.raises(InputError, match=r"clip-b.mp4' cannot be read: No such file"):
        ResultFolder(tmp_path / "made")


def test_names_that_never_fit_are_an_error(tmp_path, shard):
    write_frames(tmp_path / "made", frames_of())
    with pytest.raises(InputError, match=r"there is frame1, frame2, frame3; expected are names such as 00000"):
        run_on(shard, str(tmp_path / "made"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    (tmp_path / "made" / "frame1.json").write_text("{}")  # what tools write beside their results is in nobody's way
    ResultFolder(tmp_path / "made")
    shutil.copy(tmp_path / "made" / "frame1.png", tmp_path / "made" / "frame1.jpg")
    with pytest.raises(InputError, match="two results named 'frame1'"):
        ResultFolder(tmp_path / "made")
    with pytest.raises(InputError, match="cannot be read"):
        ResultFolder(tmp_path / "none")
