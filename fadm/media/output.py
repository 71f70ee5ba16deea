"""The place of an output: files appear whole or not at all, and a failed write says why in one line."""

import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

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
def explain_failure(path: str | Path) -> Iterator[None]:
    """Turn what the system or FFmpeg raises while `path` is written into an OutputError."""
    try:
        yield
    except (OSError, av.error.FFmpegError) as error:
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
