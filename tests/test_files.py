import os
import subprocess
import sys
from pathlib import Path

import pytest

from fadm.errors import OutputError
from fadm.files import replace_file, write_whole

BEGIN = """
import sys
from pathlib import Path
from fadm.files import replace_file
with replace_file(Path(sys.argv[1])) as temporary:
    if sys.argv[1].endswith("folder"):
        temporary.mkdir()
        (temporary / "000000.png").write_text("half")
    else:
        temporary.write_text("half")
    print("begun", flush=True)
    sys.stdin.read()
"""


def begin_write(place: Path) -> subprocess.Popen:
    """A run of its own that has written half of an output and waits for its input to end."""
    run = subprocess.Popen(
        [sys.executable, "-c", BEGIN, str(place)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert run.stdout is not None and run.stdout.readline() == b"begun\n"
    return run


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666])
def test_rights_of_an_older_file_are_kept(tmp_path, mode):
    place = tmp_path / "a.mp4"
    place.write_text("older")
    place.chmod(mode)
    with replace_file(place) as temporary:
        assert mode_of(temporary) == 0o600  # never open to others while it is written
        temporary.write_text("newer")
    assert mode_of(place) == mode and place.read_text() == "newer"


def test_rights_of_an_empty_folder_are_kept(tmp_path):
    place = tmp_path / "frames"
    place.mkdir(0o700)
    with replace_file(place) as temporary:
        temporary.mkdir()
    assert mode_of(place) == 0o700


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_new_files_have_the_rights_of_new_files(tmp_path, mask, mode):
    old = os.umask(mask)
    try:
        write_whole(tmp_path / "a", b"new")
    finally:
        os.umask(old)
    assert mode_of(tmp_path / "a") == mode


@pytest.mark.parametrize("name", ["a.mp4", "folder"])
def test_what_a_killed_run_left_is_removed_by_the_next_write(tmp_path, name):
    killed, alive = begin_write(tmp_path / name), begin_write(tmp_path / "b.mp4")
    try:
        killed.kill()
        killed.wait()
        assert len(list(tmp_path.glob(".fadm-*.part"))) == 2
        write_whole(tmp_path / "c", b"whole")
        (begun,) = tmp_path.glob(".fadm-*.part")
        assert begun.read_text() == "half"  # of the run that is alive
    finally:
        alive.communicate(b"")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["b.mp4", "c"]
    assert (tmp_path / "b.mp4").read_text() == "half"


def test_what_was_begun_without_a_lock_is_removed(tmp_path):
    (tmp_path / ".fadm-0.part").write_text("half")
    (tmp_path / ".fadm-1.part").mkdir()
    write_whole(tmp_path / "c", b"whole")
    assert [f.name for f in tmp_path.iterdir()] == ["c"]


def test_a_link_planted_as_a_leftover_is_removed_but_not_followed(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "a").write_text("kept")
    (tmp_path / ".fadm-0.lock").touch()
    (tmp_path / ".fadm-0.part").symlink_to(tmp_path / "precious")
    write_whole(tmp_path / "c", b"whole")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["c", "precious"]
    assert (tmp_path / "precious" / "a").read_text() == "kept"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_nothing_is_left_when_a_write_ends_early(tmp_path, error):
    (tmp_path / "a").write_text("older")
    with pytest.raises(error), replace_file(tmp_path / "a") as temporary:
        temporary.write_text("half")
        raise error
    assert [f.name for f in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_text() == "older"


def test_a_file_system_without_locks_is_written_to(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def fail(*arguments):
        raise OSError("no locks available")

    monkeypatch.setattr(fcntl, "flock", fail)
    (tmp_path / ".fadm-0.lock").touch()
    (tmp_path / ".fadm-0.part").write_text("of a run that may be alive")
    write_whole(tmp_path / "a", b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole" and (tmp_path / ".fadm-0.part").exists()


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(OutputError, match="does not exist; create it first"):
        write_whole(tmp_path / "none" / "a", b"")
