"""Shards as tar files whose bytes depend on their content alone, written whole or not at all."""

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fadm.errors import InputError
from fadm.files import explain_failure, place_of, reach_disk, replace_file

BLOCK = 512  # bytes by which a tar grows


def pack_array(array: NDArray[np.float16]) -> bytes:
    """Convert an array to the content of an .npy file.

    Args:
        array: An array of any shape.

    Returns:
        The bytes of the file.
    """
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def pack_members(members: Mapping[str, bytes]) -> bytes:
    """Convert files to the content of a tar; the same files give the same bytes.

    Args:
        members: Contents by name, in the order of the tar.

    Returns:
        The bytes of the tar.
    """
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in members.items():
            _add_member(tar, name, content)
    return file.getvalue()


def read_members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Read the files in a tar.

    Args:
        path: The tar.

    Yields:
        Name and content of each file.

    Raises:
        InputError: The tar is missing or damaged.
    """
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is not None:
                    yield member.name, content.read()
    except (OSError, EOFError, tarfile.TarError) as error:
        raise InputError(f"'{path}' cannot be read ({error}); delete it and run again") from error


class ShardWriter:
    """Writes samples into PREFIX-00000.tar, PREFIX-00001.tar, …; another one begins once one is full.

    A context manager. A shard appears in the folder when it is complete and on the disk.

    Attributes:
        names: Names of the shards so far.
    """

    def __init__(self, folder: Path, prefix: str, most_bytes: int) -> None:
        """Prepare to write; nothing is written yet.

        Args:
            folder: An existing folder.
            prefix: Beginning of the shards' names.
            most_bytes: Bytes after which a shard is full; a sample is never divided.
        """
        self.names: list[str] = []
        self._folder, self._prefix, self._most_bytes = folder, prefix, most_bytes
        self._size = 0
        self._tar: tarfile.TarFile | None = None
        self._open = ExitStack()

    def write(self, members: Iterable[tuple[str, bytes]]) -> None:
        """Write one sample.

        Args:
            members: Name and content of its files; the names share their key.

        Raises:
            OutputError: The shard cannot be written.
        """
        if self._tar is None or self._size >= self._most_bytes:
            self._begin_shard()
        assert self._tar is not None
        for name, content in members:
            _add_member(self._tar, name, content)
            self._size += BLOCK + -(-len(content) // BLOCK) * BLOCK

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def _begin_shard(self) -> None:
        self._open.close()
        name = f"{self._prefix}-{len(self.names):05d}.tar"
        place = place_of(self._folder / name)
        temporary = self._open.enter_context(replace_file(place))
        self._open.enter_context(explain_failure(place))
        file = self._open.enter_context(temporary.open("wb"))
        self._open.callback(reach_disk, file)
        self._tar = self._open.enter_context(tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT))
        self.names.append(name)
        self._size = 0


def _add_member(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # without the time, owner and rights of any file
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
