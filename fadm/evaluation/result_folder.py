"""Results of other tools: pictures, videos or folders of frames, matched with the cases by name."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadm.data.prepare.layouts import VIDEO_ENDINGS
from fadm.errors import FadmError, InputError
from fadm.evaluation.clip_frames import ClipFrames
from fadm.evaluation.pairs import Case
from fadm.evaluation.prediction import Prediction
from fadm.media.crop import resize_pixels
from fadm.media.frames import FrameSource
from fadm.media.image import READABLE_ENDINGS
from fadm.media.reader import open_frames

Pixels = NDArray[np.uint8]

RATE_TOLERANCE = Fraction(1, 50)  # of the clip's rate
MISSING, UNREADABLE, SIZE = "missing", "unreadable", "another size"
LENGTH, RATE, UNMATCHED = "another length", "another rate", "without a case"
DAMAGED = "damaged frames"
MOST_LISTED = 3


class ResultFolder:
    """A folder with a picture, a video or a folder of frames for each case, named after it. See `Method`."""

    stages: tuple[str, ...] = ("result",)

    def __init__(self, folder: Path) -> None:
        """List the results.

        Args:
            folder: The folder.

        Raises:
            InputError: The folder cannot be read, or two results have the same name.
        """
        self.description: dict[str, Any] = {"method": folder.resolve().name}
        self._folder = folder
        self._files = name_files(folder)
        self.description["files"] = [(path.name, size_of(path)) for path in self._files.values()]

    def predict(self, case: Case, frames: ClipFrames) -> Prediction:
        """See `Method`."""
        prediction = Prediction({"result": []})
        if case.name not in self._files:
            prediction.notes.append((MISSING, f"no file or folder is named {case.name}"))
        else:
            self._read(self._files[case.name], case, frames, prediction)
        return prediction

    def find_notes(self, cases: Sequence[Case]) -> list[tuple[str, str]]:
        """See `Method`. Raises InputError when no result has the name of a case."""
        names = {case.name for case in cases}
        unmatched = sorted(self._files.keys() - names)
        if len(unmatched) == len(self._files):
            found = ", ".join(unmatched[:MOST_LISTED]) or "nothing"
            raise InputError(
                f"no name in '{self._folder}' is that of a case: there is {found}; expected are names such as "
                f"{cases[0].name} with the ending of a picture or video, or folders of that name"
            )
        if not unmatched:
            return []
        shown = ", ".join(unmatched[:MOST_LISTED])
        return [(UNMATCHED, f"{len(unmatched)} names are not those of cases and were not read, such as {shown}")]

    def _read(self, path: Path, case: Case, frames: ClipFrames, prediction: Prediction) -> None:
        wanted = len(case.driving_frames)
        try:
            source = open_frames(path)
            pictures = [frame.pixels for frame in islice(source, wanted + 1)]
        except FadmError as error:
            prediction.notes.append((UNREADABLE, f"{path.name}: {error}".replace(str(path), path.name)))
            return
        if source.num_damaged:
            prediction.notes.append(
                (DAMAGED, f"{path.name}: {source.num_damaged} are left out, so later frames are compared too early")
            )
        if len(pictures) != wanted:
            given = f"only {len(pictures)}" if len(pictures) < wanted else "more"
            prediction.notes.append(
                (LENGTH, f"{path.name} has {given} frames, the driver {wanted}; the first are compared")
            )
        self._check_rate(source, path, case, frames, prediction)
        height, width = frames.features(case.driving_clip, case.driving_frames[0]).pixels.shape[:2]
        other = next((picture.shape for picture in pictures if picture.shape[:2] != (height, width)), None)
        if other is not None:
            prediction.notes.append((SIZE, f"{path.name} has {other[1]}x{other[0]} pixels, scaled to {width}x{height}"))
            pictures = [resize_pixels(picture, width, height) for picture in pictures]
        prediction.pictures["result"] = pictures[:wanted]

    def _check_rate(
        self, source: FrameSource, path: Path, case: Case, frames: ClipFrames, prediction: Prediction
    ) -> None:
        """Note a video with another frame rate than the driver's; folders of frames have no rate."""
        info = frames.clip(case.driving_clip).info
        numbers, rate = info.get("frame_numbers"), info.get("frames_per_second")
        is_video = len(case.driving_frames) > 1 and path.is_file()
        if not is_video or not rate or (numbers and numbers != list(range(numbers[0], numbers[0] + len(numbers)))):
            return
        if abs(source.rate / Fraction(rate) - 1) > RATE_TOLERANCE:
            rates = f"{path.name} has {float(source.rate):g} frames per second, the driver {rate:g}"
            prediction.notes.append((RATE, f"{rates}; frames are compared by their number"))


def name_files(folder: Path) -> dict[str, Path]:
    """List files and folders by their name without the ending; pictures and videos go before other files.

    Args:
        folder: The folder.

    Returns:
        Paths by name.

    Raises:
        InputError: The folder cannot be read, or two entries with frames have the same name.
    """
    try:
        entries = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
    except OSError as error:
        raise InputError(f"the folder '{folder}' cannot be read: {error.strerror}; check its name") from error
    files: dict[str, Path] = {}
    for entry in entries:
        name = entry.name if entry.is_dir() else entry.stem
        before = files.get(name)
        if before is not None and holds_frames(before) and holds_frames(entry):
            raise InputError(
                f"'{folder}' has two results named {name!r}, {before.name} and {entry.name}; remove one of them"
            )
        if before is None or holds_frames(entry):
            files[name] = entry
    return files


def holds_frames(path: Path) -> bool:
    """Check whether a path is a folder, or has the ending of a picture or a video.

    Args:
        path: The path.

    Returns:
        Whether it may hold frames.
    """
    return path.is_dir() or path.suffix.lower() in READABLE_ENDINGS + tuple(VIDEO_ENDINGS)


def size_of(path: Path) -> int:
    """Sum the sizes of a file, or of the files directly in a folder.

    Args:
        path: The file or folder.

    Returns:
        Bytes.

    Raises:
        InputError: The path cannot be read.
    """
    try:
        return sum(file.stat().st_size for file in (path.iterdir() if path.is_dir() else [path]))
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}; remove it or repair its folder") from error
