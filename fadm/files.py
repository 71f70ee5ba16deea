"""Output files: they appear whole or not at all, and a failed write is explained in one line."""

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
        OutputError: The folder is missing or cannot be written.
    """
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

    On any exception, KeyboardInterrupt included, the temporary is removed and the older output stays.

    Args:
        place: The file or folder to replace, without links (`place_of`); a folder must be empty.

    Yields:
        The temporary path.

    Raises:
        OutputError: The folder is missing or cannot be written.
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
