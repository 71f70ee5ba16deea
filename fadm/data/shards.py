"""Clips in webdataset shards: tar files in which the files of one sample share a key and stand together."""

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadm.errors import InputError
from fadm.face.topology import NUM_LANDMARKS


@dataclass(frozen=True)
class TrackedClip:
    """One shot: landmarks (T, 478, 3) in fractions of the crop's side, and the sample's description.

    pictures: its T frames as files (JPEG), if they were asked for.
    """

    key: str
    landmarks: NDArray[np.float32]
    info: dict[str, Any]
    pictures: tuple[bytes, ...] = ()


def read_tracked_clips(shards: Sequence[Path], *, with_pictures: bool = False) -> Iterator[TrackedClip]:
    """Yield every shot in the shards.

    Raises InputError for a file that is no shard, or a sample without its landmarks or description.
    """
    for shard in shards:
        landmarks: dict[str, NDArray[np.float32]] = {}
        info: dict[str, dict[str, Any]] = {}
        pictures: dict[str, list[bytes]] = {}
        try:
            with tarfile.open(shard) as tar:
                for member in tar:
                    key, extension = _split_name(member.name)
                    content = tar.extractfile(member)
                    if content is None:
                        continue
                    if extension == "landmarks.npy":
                        landmarks[key] = _read_landmarks(member.name, content.read())
                    elif extension == "json":
                        info[key] = _read_info(member.name, content.read())
                    elif with_pictures and extension.endswith(".jpg"):
                        pictures.setdefault(key, []).append(content.read())
        except (OSError, EOFError, tarfile.TarError, ValueError) as error:
            raise InputError(f"{shard}: not a readable webdataset shard ({error})") from error
        if landmarks.keys() != info.keys():
            unpaired = sorted(landmarks.keys() ^ info.keys())
            raise InputError(f"{shard}: samples need landmarks.npy and json both; missing one: {unpaired[:3]}")
        yield from (TrackedClip(k, landmarks[k], info[k], tuple(pictures.get(k, ()))) for k in landmarks)


def _split_name(name: str) -> tuple[str, str]:
    """A member's key and its extension, which begins at the first dot of the base name (webdataset's convention)."""
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return folder + slash + stem, extension


def _read_landmarks(name: str, content: bytes) -> NDArray[np.float32]:
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.ndim != 3 or array.shape[1:] != (NUM_LANDMARKS, 3):
        raise ValueError(f"{name} has the shape {array.shape}, not (frames, {NUM_LANDMARKS}, 3)")
    return array.astype(np.float32)


def _read_info(name: str, content: bytes) -> dict[str, Any]:
    info = json.loads(content)
    if not isinstance(info, dict):
        raise ValueError(f"{name} holds no JSON object")
    return info
