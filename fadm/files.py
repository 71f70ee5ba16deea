"""Output files: they appear whole or not at all, and a failed write says why in one line."""

import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from fadm.errors import OutputError

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def place_of(path: str | Path) -> Path:
    """Where an output really goes (a link is followed, so that it survives the replacement)."""
    return Path(os.path.realpath(path))


def check_folder(path: str | Path) -> None:
    """Raise OutputError unless the folder that is to hold `path` exists and a file can be made in it."""
    parent = place_of(path).parent
    if not parent.is_dir():
        raise OutputError(f"'{path}' cannot be written: the folder '{parent}' does not exist; create it first")
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise OutputError(
            f"'{path}' cannot be written: nothing can be created in '{parent}' ({error.strerror}); "
            "choose another folder"
        ) from error


@contextmanager
def explain_failure(path: str | Path, *others: type[Any]) -> Iterator[None]:
    """Turn what the system raises while `path` is written, or a library (others), into an OutputError."""
    try:
        yield
    except (OSError, *others) as error:  # type: ignore[misc]
        reason = error.strerror or str(error)
        if error.errno in _DISK_FULL:
            raise OutputError(f"disk full: '{path}' is not written ({reason}); make space there") from error
        raise OutputError(f"'{path}' cannot be written: {reason}; choose another name or folder") from error


@contextmanager
def replace_file(place: Path) -> Iterator[Path]:
    """Give a temporary name beside `place`; what was made under it then becomes `place`, file or folder.

    On any exception, KeyboardInterrupt included, the temporary is removed and `place` stays as it was.
    """
    check_folder(place)
    temporary = place.parent / f".fadm-{secrets.token_hex(6)}.part"
    try:
        yield temporary
        with explain_failure(place):
            if temporary.is_dir() and place.is_dir():
                place.rmdir()  # only an empty folder can be replaced by a folder
            temporary.replace(place)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside and put it into its place once it is on the disk. Raises OutputError."""
    with replace_file(place_of(path)) as temporary, explain_failure(path), temporary.open("wb") as file:
        file.write(content)
        reach_disk(file)


def reach_disk(file: IO[bytes]) -> None:
    """Return once what was written is on the disk: a loss of power does not undo it."""
    file.flush()
    os.fsync(file.fileno())
