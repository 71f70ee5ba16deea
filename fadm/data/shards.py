"""Clips in webdataset shards: tar files in which the files of one sample share a key and stand together.

Shards are read by place, not as a stream: sampling balanced by identity and exact resuming need any frame at any time.
"""

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fadm.errors import InputError
from fadm.face.topology import NUM_LANDMARKS

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class StoredPicture:
    """A picture file (JPEG or PNG) within a file: `size` bytes from `offset`."""

    path: Path
    offset: int
    size: int

    def read(self) -> Pixels:
        """The picture (H, W, 3) RGB. Raises InputError where it is gone or damaged."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                return decode_picture(file.read(self.size))
        except (OSError, ValueError, SyntaxError) as error:
            raise InputError(f"{self.path}: a picture in it cannot be read ({error}); make the shard anew") from error


@dataclass(frozen=True)
class TrackedClip:
    """One shot: landmarks (T, 478, 3) in fractions of the crop's side, the sample's description, its T pictures."""

    key: str
    landmarks: NDArray[np.float32]
    info: dict[str, Any]
    pictures: tuple[StoredPicture, ...] = ()

    @property
    def identity(self) -> str:
        """Who is shown, by a name that means nothing; a clip that does not say is a person of its own."""
        return str(self.info.get("identity", self.key))


def find_shards(places: Sequence[Path]) -> list[Path]:
    """The shards that are named and those in the folders that are. Raises InputError for a place without any."""
    shards: list[Path] = []
    for place in places:
        found = sorted(place.glob("*.tar")) if place.is_dir() else [place]
        if not found or not place.exists():
            raise InputError(f"'{place}' holds no shard; give .tar files of `fadm data prepare`, or their folder")
        shards += found
    return shards


def read_tracked_clips(shards: Sequence[Path]) -> Iterator[TrackedClip]:
    """Yield every shot in the shards.

    Raises InputError for a file that is no shard, or a sample without its landmarks or description.
    """
    for shard in shards:
        landmarks: dict[str, NDArray[np.float32]] = {}
        info: dict[str, dict[str, Any]] = {}
        pictures: dict[str, list[StoredPicture]] = {}
        try:
            with tarfile.open(shard, "r:") as tar:  # not compressed: its files are read by place
                for member in tar:
                    key, extension = _split_name(member.name)
                    if extension.endswith((".jpg", ".png")):
                        place = StoredPicture(shard, member.offset_data, member.size)
                        pictures.setdefault(key, []).append(place)
                    elif extension in ("landmarks.npy", "json"):
                        content = tar.extractfile(member)
                        if content is None:
                            continue
                        if extension == "json":
                            info[key] = _read_info(member.name, content.read())
                        else:
                            landmarks[key] = _read_landmarks(member.name, content.read())
        except (OSError, EOFError, tarfile.TarError, ValueError) as error:
            raise InputError(f"{shard}: not a readable webdataset shard ({error})") from error
        if landmarks.keys() != info.keys():
            unpaired = sorted(landmarks.keys() ^ info.keys())
            raise InputError(f"{shard}: samples need landmarks.npy and json both; missing one: {unpaired[:3]}")
        yield from (TrackedClip(k, landmarks[k], info[k], tuple(pictures.get(k, ()))) for k in landmarks)


def decode_picture(content: bytes) -> Pixels:
    """A picture file's bytes -> (H, W, 3) RGB; raises OSError, ValueError or SyntaxError, as Pillow does."""
    with Image.open(io.BytesIO(content)) as picture:
        return np.array(picture.convert("RGB"))


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
