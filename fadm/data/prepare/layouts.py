"""Layouts of raw data (plain videos, VoxCeleb, CelebA, folders of frames), read as lists of recordings."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fadm.data.prepare.options import InputOptions
from fadm.errors import InputError
from fadm.media.image import READABLE_ENDINGS

VIDEO_ENDINGS = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mp2", ".ts", ".mts", ".m2ts", ".wmv", ".flv",
    ".3gp", ".ogv", ".y4m", ".gif",
)  # fmt: skip
CELEBA_IDENTITIES, CELEBA_SPLITS = "identity_CelebA.txt", "list_eval_partition.txt"
CELEBA_FOLDERS = ("img_align_celeba", "img_align_celeba_png", "img_celeba")
SPLIT_NAMES = {"0": "train", "1": "val", "2": "test"}  # of CelebA's partition

LONGEST_NAME = 64  # characters of a recording's name in its samples' keys; a name in a tar has up to 100


@dataclass(frozen=True)
class Recording:
    """One video, folder of frames or still picture, with what its layout says about it.

    Attributes:
        name: A unique name, with which the keys of its samples begin.
        path: The file, or the folder of frames.
        file: Its path below the input, as text.
        kind: `video`, `frames` or `still`.
        identity: Name of the person.
        source: Name of the data.
        split: `train`, `val`, `test` or empty.
        is_of_one: Whether the layout names one person, whom the recording shows.
        is_cut: Whether the frames are crops around the face already.
    """

    name: str
    path: Path
    file: str
    kind: str
    identity: str
    source: str
    split: str = ""
    is_of_one: bool = False
    is_cut: bool = False


def find_recordings(inputs: Sequence[Path], options: InputOptions) -> list[Recording]:
    """Find all recordings in files and folders.

    Args:
        inputs: Videos, or folders of a known layout.
        options: The layout, and where identities come from.

    Returns:
        The recordings in the order of split and name.

    Raises:
        InputError: An input does not exist, or holds nothing to read.
    """
    found = []
    for path in inputs:
        if not path.exists():
            raise InputError(f"'{path}' does not exist; give videos or folders of videos")
        layout = "videos" if path.is_file() else options.layout
        if layout == "auto":
            layout = recognize_layout(path)
        recordings = list(_READERS[layout](path))
        if not recordings:
            raise InputError(f"'{path}' holds nothing in the layout {layout!r}; {_EXPECTED[layout]}")
        source = options.source or (path.resolve().parent if path.is_file() else path.resolve()).name
        found += [replace(_identify(r, options.identity_from, path), source=source) for r in recordings]
    return _name_apart(sorted(found, key=lambda r: (r.split, r.file, str(r.path))))


def recognize_layout(folder: Path) -> str:
    """Recognise the layout of a folder by its marks.

    Args:
        folder: The folder.

    Returns:
        `celeba`, `frames`, `voxceleb` or, without marks, `videos`.
    """
    if (folder / CELEBA_IDENTITIES).is_file() or folder.name in CELEBA_FOLDERS:
        return "celeba"
    if any((folder / name).is_dir() for name in CELEBA_FOLDERS):
        return "celeba"
    if any(r.kind == "frames" or "#" in r.path.name for r in _read_frame_folders(folder)):
        return "frames"
    if any(_speaker(r.file) or _speaker(folder.name) for r in _read_videos(folder)):
        return "voxceleb"
    return "videos"


def _read_videos(path: Path) -> Iterator[Recording]:
    """Read a video of any name, or all files below a folder with a video's ending; the file's name is the identity."""
    if path.is_file():
        yield _make_recording(path, path.name, "video", path.stem)
        return
    for file in _list_files(path, VIDEO_ENDINGS):
        name = file.relative_to(path).as_posix()
        yield _make_recording(file, name, "video", name.rpartition(".")[0])


def _read_voxceleb(path: Path) -> Iterator[Recording]:
    """Read videos below folders named id10001 and the like; elsewhere the first folder names the person."""
    for recording in _read_videos(path):
        first, below, _ = recording.file.partition("/")
        identity = _speaker(recording.file) or _speaker(path.name) or (first if below else path.name)
        yield replace(recording, identity=identity, is_of_one=True)


def _speaker(file: str) -> str | None:
    return next((part for part in file.split("/") if re.fullmatch(r"id\d{4,6}", part)), None)


def _read_celeba(path: Path) -> Iterator[Recording]:
    """Read the pictures of a folder, or of CelebA's folder in it; identities and splits are those of CelebA's lists."""
    folder = next((path / name for name in CELEBA_FOLDERS if (path / name).is_dir()), path)
    identities, splits = (_read_list(path, folder, name) for name in (CELEBA_IDENTITIES, CELEBA_SPLITS))
    for file in sorted(f for f in folder.iterdir() if f.suffix.lower() in READABLE_ENDINGS and f.name[0] != "."):
        stem = f"{file.stem}.jpg"  # the lists name the JPEG files, also beside the PNG ones
        identity = identities.get(file.name) or identities.get(stem) or file.stem
        split = SPLIT_NAMES.get(splits.get(file.name) or splits.get(stem) or "", "")
        yield replace(_make_recording(file, file.name, "still", identity), split=split, is_of_one=True)


def _read_list(path: Path, folder: Path, name: str) -> dict[str, str]:
    """Read lines `000001.jpg 2880` of a list beside the pictures or their folder; {} where there is none."""
    places = [place / name for place in (path, folder.parent, path / "Anno", path / "Eval")]
    place = next((p for p in places if p.is_file()), None)
    if place is None:
        return {}
    lines = [line.split() for line in place.read_text(encoding="utf-8", errors="replace").splitlines()]
    if any(len(line) not in (0, 2) for line in lines):
        raise InputError(f"'{place}' has lines that are not a picture's name and a number; give CelebA's own list")
    return dict(line for line in lines if line)


def _read_frame_folders(path: Path) -> Iterator[Recording]:
    """Read folders of pictures, and videos, in train/ and test/, or right here where their names have a '#'."""
    splits = {name: path / name for name in ("train", "val", "test") if (path / name).is_dir()}
    for split, folder in (splits or {"": path}).items():
        for entry in sorted(folder.iterdir()):
            if entry.name.startswith(".") or not (splits or "#" in entry.name):
                continue
            kind = "frames" if entry.is_dir() and _holds_pictures(entry) else "video"
            if kind == "video" and not (entry.is_file() and entry.suffix.lower() in VIDEO_ENDINGS):
                continue
            identity = entry.name.partition("#")[0] if "#" in entry.name else entry.name.rpartition(".")[0]
            recording = _make_recording(entry, entry.relative_to(path).as_posix(), kind, identity or entry.name)
            yield replace(recording, split=split, is_of_one=True, is_cut=True)


def _holds_pictures(folder: Path) -> bool:
    return any(f.suffix.lower() in READABLE_ENDINGS for f in folder.iterdir())


def _list_files(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """List files below a folder with one of the endings; hidden files and folders are left out."""
    files = (f for f in folder.rglob("*") if f.suffix.lower() in endings and f.is_file())
    return sorted(f for f in files if not any(part[0] == "." for part in f.relative_to(folder).parts))


def _make_recording(path: Path, file: str, kind: str, identity: str) -> Recording:
    stem = file.rpartition(".")[0] if Path(file).suffix.lower() in VIDEO_ENDINGS + READABLE_ENDINGS else file
    return Recording(name=stem, path=path, file=file, kind=kind, identity=identity, source="")


def _identify(recording: Recording, identity_from: str, root: Path) -> Recording:
    if identity_from == "file":
        return replace(recording, identity=recording.file.rpartition(".")[0] or recording.file)
    if identity_from == "folder":
        first, below, _ = recording.file.partition("/")
        return replace(recording, identity=first if below else recording.path.resolve().parent.name)
    return recording


def _name_apart(recordings: list[Recording]) -> list[Recording]:
    """Name recordings by letters, digits, - and single _, as tar and webdataset take them, and number equal names."""
    names = [_clean(recording.name) for recording in recordings]
    known, taken = set(names), Counter[str]()
    named = []
    for recording, name in zip(recordings, names, strict=True):
        taken[name] += 1
        free = name
        while taken[name] > 1 and (free := f"{name}-{taken[name]}") in known:
            taken[name] += 1
        named.append(replace(recording, name=free))
    return named


def _clean(name: str) -> str:
    cleaned = re.sub(r"[^A-Za-z0-9_]+|__+", "-", name).strip("-")
    if len(cleaned) > LONGEST_NAME or not cleaned:
        digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
        cleaned = f"{cleaned[: LONGEST_NAME - 9]}-{digest}".strip("-")
    return cleaned


_READERS: dict[str, Callable[[Path], Iterator[Recording]]] = {
    "videos": _read_videos,
    "voxceleb": _read_voxceleb,
    "celeba": _read_celeba,
    "frames": _read_frame_folders,
}
_VIDEOS_EXPECTED = (
    f"give files that end in {', '.join(sorted(VIDEO_ENDINGS))}; pictures are read by --layout celeba or frames"
)
_EXPECTED = {
    "videos": _VIDEOS_EXPECTED,
    "voxceleb": _VIDEOS_EXPECTED,
    "celeba": f"give a folder of pictures, with {CELEBA_IDENTITIES} beside them",
    "frames": "give a folder with train/ or test/, in which each clip is a folder of pictures",
}
