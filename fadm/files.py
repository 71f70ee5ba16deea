"""Output files: they appear whole or not at all, and a failed write is explained in one line."""

import errno
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from fadm.errors import OutputError

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BEGUN, _LOCKS = ".fadm-*.part", ".fadm-*.lock"  # an output that is written, and what claims its name
_REST = 10  # seconds for which a folder is not looked through again: some get thousands of files


def place_of(path: str | Path) -> Path:
    """Find where an output is really written: links are followed, so that replacing the file keeps the link.

    Args:
        path: The output's name.

    Returns:
        The absolute path without links.
    """
    return Path(os.path.realpath(path))


def check_folder(path: str | Path) -> None:
    """Check that the folder of an output exists and that a file can be created in it.

    Args:
        path: The output's name.

    Raises:
        OutputError: The folder is missing or cannot be written, or the system refuses the name.
    """
    place = place_of(path)
    parent = place.parent
    if not parent.is_dir():
        raise OutputError(f"'{path}' cannot be written: the folder '{parent}' does not exist; create it first")
    with explain_failure(path), suppress(FileNotFoundError):
        place.lstat()  # a name too long is an error here; `exists` and its kin hide it from Python 3.14 on
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise OutputError(
            f"'{path}' cannot be written: nothing can be created in '{parent}' ({error.strerror}); "
            "choose another folder"
        ) from error


def check_inputs_stay(output: str | Path, *inputs: str | Path) -> None:
    """Refuse to write a result over what it is made from.

    Args:
        output: The output's name.
        *inputs: Files or folders that are read.

    Raises:
        OutputError: The output is one of the inputs, or lies inside one.
    """
    for path in inputs:
        if Path(path).resolve() in (Path(output).resolve(), Path(output).resolve().parent):
            raise OutputError(f"'{output}' is an input or inside one, which would be lost; choose another name")


@contextmanager
def explain_failure(path: str | Path, *others: type[Any]) -> Iterator[None]:
    """Turn errors of the system or of a library while an output is written into an OutputError.

    Args:
        path: The output's name.
        *others: The library's exception classes, which must have `errno` and `strerror`.

    Yields:
        Nothing.

    Raises:
        OutputError: The block raised OSError or one of the others.
    """
    try:
        yield
    except (OSError, *others) as error:  # type: ignore[misc]
        reason = error.strerror or str(error)
        if error.errno in _DISK_FULL:
            raise OutputError(f"disk full: '{path}' is not written ({reason}); make space there") from error
        raise OutputError(f"'{path}' cannot be written: {reason}; choose another name or folder") from error


@contextmanager
def replace_file(place: Path) -> Iterator[Path]:
    """Provide a temporary name beside an output; what the block creates there becomes the output when it ends.

    On any exception, KeyboardInterrupt included, the temporary is removed and the older output stays. What killed
    runs left in the folder is removed. A new output has the rights that the process gives to new files, one that
    replaces an older output has the older one's.

    Args:
        place: The file or folder to replace, without links (`place_of`); a folder must be empty.

    Yields:
        The temporary path.

    Raises:
        OutputError: The folder is missing or cannot be written.
    """
    check_folder(place)
    _remove_leftovers(place.parent, int(time.monotonic() / _REST))
    with _claim_name(place) as temporary:
        try:
            if place.is_file():  # what replaces a private file is private while it is written
                with explain_failure(place):
                    temporary.touch(0o600)
            yield temporary
            with explain_failure(place):
                if place.exists():
                    shutil.copymode(place, temporary)
                if temporary.is_dir() and place.is_dir():
                    place.rmdir()  # only an empty folder can be replaced by a folder
                temporary.replace(place)
        finally:
            _remove(temporary)


@contextmanager
def _claim_name(place: Path) -> Iterator[Path]:
    """Provide an unused name beside an output, claimed by a locked file of the same name until the block ends.

    The system releases a lock when its process ends in any way. A process number in the name would not tell a live
    run from a killed one: numbers are used again, and containers that share a folder count their own.
    """
    while True:
        temporary = place.parent / f".fadm-{secrets.token_hex(6)}.part"
        lock = temporary.with_suffix(".lock")
        with explain_failure(place):
            file = lock.open("xb")
        _lock(file, waits=True)  # where the file system has no locks, nobody gets this one and removes the output
        if lock.exists():
            break
        file.close()  # taken for a leftover before it was locked
    try:
        yield temporary
    finally:
        file.close()
        lock.unlink(missing_ok=True)


@lru_cache(maxsize=64)
def _remove_leftovers(folder: Path, period: int) -> None:
    """Remove what killed runs had begun in a folder: no process holds its lock. Done once in a period of time."""
    for lock in folder.glob(_LOCKS):
        with suppress(OSError):  # of another user, or already removed by another run
            with lock.open("r+b") as file:
                if not _lock(file, waits=False):
                    continue
                _remove(lock.with_suffix(".part"))
                with suppress(PermissionError):  # Windows removes no open file
                    lock.unlink()
            lock.unlink(missing_ok=True)
    for begun in folder.glob(_BEGUN):
        with suppress(OSError):
            if not begun.with_suffix(".lock").exists():  # begun before names were claimed
                _remove(begun)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _lock(file: IO[bytes], *, waits: bool) -> bool:
    """Lock an open file against other runs; return whether it is locked."""
    with suppress(OSError):
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if waits else msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        return True
    return False


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its final path and rename it once it is on the disk.

    Args:
        path: The file.
        content: All its bytes.

    Raises:
        OutputError: The file cannot be written.
    """
    with replace_file(place_of(path)) as temporary, explain_failure(path), temporary.open("wb") as file:
        file.write(content)
        reach_disk(file)


def reach_disk(file: IO[bytes]) -> None:
    """Wait until written data is on the disk, so that a power failure cannot undo it.

    Args:
        file: An open file.
    """
    file.flush()
    os.fsync(file.fileno())
