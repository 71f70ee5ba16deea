"""Clips in webdataset shards: tar files in which the files of one sample share a key and stand together.

Pictures are read by their place in a shard, not as a stream: sampling balanced by identity and exact resuming need any
frame at any time.
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
from fadm.face.landmarker import LANDMARK_MODEL
from fadm.face.topology import NUM_LANDMARKS

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class StoredPicture:
    """A picture file (JPEG or PNG) within a shard.

    Attributes:
        path: The shard.
        offset: Byte at which the picture begins.
        size: Its bytes.
    """

    path: Path
    offset: int
    size: int

    def read(self) -> Pixels:
        """Read the picture.

        Returns:
            uint8 RGB (H, W, 3).

        Raises:
            InputError: The picture is gone or damaged.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                return decode_picture(file.read(self.size))
        except (OSError, ValueError, SyntaxError) as error:
            raise InputError(f"{self.path}: a picture in it cannot be read ({error}); make the shard again") from error


@dataclass(frozen=True)
class TrackedClip:
    """A clip: frames of one face in one shot.

    Attributes:
        key: Name of the clip.
        landmarks: Landmarks (T, 478, 3) as fractions of the crop's side.
        info: Identity, source, terms and more, as the shard's JSON holds them.
        pictures: The T frames.
    """

    key: str
    landmarks: NDArray[np.float32]
    info: dict[str, Any]
    pictures: tuple[StoredPicture, ...] = ()

    @property
    def identity(self) -> str:
        """Name of the person; a clip without one counts as a person of its own."""
        return str(self.info.get("identity", self.key))

    @property
    def is_video(self) -> bool:
        """Whether its frames are moments of a video, seen through one window; else they are separate pictures."""
        return len(self.pictures) > 1 and "frame_numbers" in self.info


def find_shards(places: Sequence[Path]) -> list[Path]:
    """List shards.

    Args:
        places: Shards, or folders of shards.

    Returns:
        The shards, those of a folder by name.

    Raises:
        InputError: A place does not exist, or a folder holds no shard.
    """
    shards: list[Path] = []
    for place in places:
        found = sorted(place.glob("*.tar")) if place.is_dir() else [place]
        if not found or not place.exists():
            raise InputError(f"'{place}' holds no shard; give .tar files of `fadm data prepare`, or their folder")
        shards += found
    return shards


def read_tracked_clips(shards: Sequence[Path]) -> Iterator[TrackedClip]:
    """Read the clips in shards; pictures are read when they are needed.

    Args:
        shards: Shards, not compressed.

    Yields:
        The clips in the order of the shards.

    Raises:
        InputError: A file is no shard, a sample lacks its landmarks or its description, or another landmark model
            tracked it.
    """
    for shard in shards:
        landmarks: dict[str, NDArray[np.float32]] = {}
        info: dict[str, dict[str, Any]] = {}
        pictures: dict[str, list[StoredPicture]] = {}
        try:
            with tarfile.open(shard, "r:") as tar:  # not compressed: its files are read by place
                for member in tar:
                    key, extension = split_name(member.name)
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
        _check_landmark_model(shard, info)
        yield from (TrackedClip(k, landmarks[k], info[k], tuple(pictures.get(k, ()))) for k in landmarks)


def decode_picture(content: bytes) -> Pixels:
    """Decode a picture file.

    Args:
        content: The bytes of a JPEG or PNG file.

    Returns:
        uint8 RGB (H, W, 3).

    Raises:
        OSError: The picture is damaged; Pillow also raises ValueError and SyntaxError.
    """
    with Image.open(io.BytesIO(content)) as picture:
        return np.array(picture.convert("RGB"))


def scale_landmarks(landmarks: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Scale landmarks from fractions of a crop's side to pixels, whose centres are whole numbers.

    Args:
        landmarks: Landmarks (..., 3) in fractions of the side.
        side: The side in pixels.

    Returns:
        Landmarks (..., 3) in pixels.
    """
    return landmarks * side - np.array([0.5, 0.5, 0], np.float32)


def fractions_of(landmarks: NDArray[np.float32], left: float, top: float, side: float) -> NDArray[np.float32]:
    """Convert landmarks to what shards hold, the inverse of `scale_landmarks`.

    Args:
        landmarks: Landmarks (..., 3) in pixels of a picture.
        left: Column of the crop's first pixel.
        top: Row of the crop's first pixel.
        side: The crop's side in pixels.

    Returns:
        Landmarks (..., 3) as fractions of the crop's side; 0 and 1 are its edges.
    """
    return (landmarks - np.array([left - 0.5, top - 0.5, 0], np.float32)) / side


def split_name(name: str) -> tuple[str, str]:
    """Split the name of a shard's file by webdataset's convention.

    Args:
        name: The name.

    Returns:
        The key of its sample, and its extension, which begins at the first dot of the base name.
    """
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


def _check_landmark_model(shard: Path, info: dict[str, dict[str, Any]]) -> None:
    """Refuse landmarks that another model found, which stand for other points of the face."""
    others = {str(sample.get("landmark_model", "not named")) for sample in info.values()} - {LANDMARK_MODEL}
    if others:
        raise InputError(
            f"{shard}: its landmark model is {', '.join(sorted(others))}, not {LANDMARK_MODEL}; track its pictures "
            f"anew: fadm data retrack {shard} -o FOLDER"
        )
