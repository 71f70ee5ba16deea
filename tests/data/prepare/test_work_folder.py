import os
from dataclasses import replace
from pathlib import Path

import pytest

from fadm.data.prepare.layouts import Recording
from fadm.data.prepare.options import PrepareOptions
from fadm.data.prepare.work_folder import STILLS_OF_A_JOB, group_recordings, open_work_folder
from fadm.errors import InputError

OPTIONS = PrepareOptions()


def make_recording(path: Path, **values) -> Recording:
    path.write_bytes(b"video")
    os.utime(path, (1, 1))
    return replace(Recording(path.stem, path, path.name, "video", path.stem, "raw"), **values)


def place(tmp_path: Path, recording: Recording, options: PrepareOptions = OPTIONS) -> str:
    """Name under which a recording's clips are kept."""
    output = tmp_path / f"out{len(os.listdir(tmp_path))}"
    return next(iter(open_work_folder(output, [recording], options).jobs)).name


def test_what_is_finished_is_known_by_file_and_options(tmp_path):
    recording = make_recording(tmp_path / "a.mp4")
    known = place(tmp_path, recording)
    assert place(tmp_path, recording) == known
    others = {
        place(tmp_path, recording, PrepareOptions(quality=90)),
        place(tmp_path, replace(recording, identity="b")),
        place(tmp_path, replace(recording, split="test")),
    }
    (tmp_path / "a.mp4").write_bytes(b"longer video")
    others.add(place(tmp_path, recording))
    os.utime(tmp_path / "a.mp4", (2, 2))
    others.add(place(tmp_path, recording))
    assert len(others) == 5 and known not in others


def test_the_place_of_a_folder_does_not_matter(tmp_path):
    places = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        places.append(place(tmp_path, make_recording(tmp_path / name / "a.mp4")))
    assert places[0] == places[1]


def test_a_new_frame_makes_another_recording_of_a_folder(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    make_recording(folder / "0.png")
    recording = Recording("a", folder, "a", "frames", "a", "raw")
    known = place(tmp_path, recording)
    make_recording(folder / "1.png")
    assert place(tmp_path, recording) != known


def test_only_what_is_not_there_is_unfinished(tmp_path):
    recordings = [make_recording(tmp_path / f"{i}.mp4") for i in range(3)]
    folder = open_work_folder(tmp_path / "out", recordings, OPTIONS)
    list(folder.jobs)[1].write_bytes(b"done")
    again = open_work_folder(tmp_path / "out", recordings, OPTIONS)
    assert [job[0].name for job in again.unfinished().values()] == ["0", "2"]


def test_still_pictures_share_a_job_with_their_split(tmp_path):
    still = Recording("a", tmp_path, "a", "still", "a", "raw", "train")
    recordings = [still] * (STILLS_OF_A_JOB + 1) + [replace(still, split="val"), replace(still, kind="video")]
    assert [len(job) for job in group_recordings(recordings)] == [STILLS_OF_A_JOB, 1, 1, 1]


def test_a_recording_that_is_gone(tmp_path):
    recording = make_recording(tmp_path / "a.mp4")
    recording.path.unlink()
    with pytest.raises(InputError, match=r"a.mp4' cannot be read: No such file"):
        open_work_folder(tmp_path / "out", [recording], OPTIONS)
