"""Read and write takes of face capture: CSV in the layout of Epic's Live Link Face app.

A line has the timecode, the number of values (61; 0 where no face was tracked), ARKit's 52 coefficients, and yaw,
pitch and roll of the head and of both eyes in radians. The sense of the angles is that of Unreal's rotators, seen by
the person: positive yaw turns to the right, positive pitch raises, positive roll tilts to the right.
"""

import csv
import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fadm.attributes.timecode import PARTS, count_frames, format_timecode, parse_timecode
from fadm.blendshapes import BLENDSHAPES, LARGEST_BLENDSHAPE, NUM_BLENDSHAPES, UNSEEN_BLENDSHAPES
from fadm.errors import InputError
from fadm.files import explain_failure, place_of, replace_file

FloatArray = NDArray[np.float32]

COUNT = "BlendShapeCount"
# The app's own order and spelling.
COLUMNS = (
    "EyeBlinkLeft", "EyeLookDownLeft", "EyeLookInLeft", "EyeLookOutLeft", "EyeLookUpLeft", "EyeSquintLeft",
    "EyeWideLeft",
    "EyeBlinkRight", "EyeLookDownRight", "EyeLookInRight", "EyeLookOutRight", "EyeLookUpRight", "EyeSquintRight",
    "EyeWideRight",
    "JawForward", "JawRight", "JawLeft", "JawOpen",
    "MouthClose", "MouthFunnel", "MouthPucker", "MouthRight", "MouthLeft", "MouthSmileLeft", "MouthSmileRight",
    "MouthFrownLeft", "MouthFrownRight", "MouthDimpleLeft", "MouthDimpleRight", "MouthStretchLeft",
    "MouthStretchRight", "MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper",
    "MouthPressLeft", "MouthPressRight", "MouthLowerDownLeft", "MouthLowerDownRight", "MouthUpperUpLeft",
    "MouthUpperUpRight",
    "BrowDownLeft", "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight",
    "CheekPuff", "CheekSquintLeft", "CheekSquintRight", "NoseSneerLeft", "NoseSneerRight", "TongueOut",
)  # fmt: skip
HEAD_COLUMNS = ("HeadYaw", "HeadPitch", "HeadRoll")
EYE_COLUMNS = ("LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll", "RightEyeYaw", "RightEyePitch", "RightEyeRoll")
LEAST = -0.05  # a filter of the recording may swing below 0; such values are taken as 0
LARGEST_ANGLE = 2 * math.pi


@dataclass(frozen=True)
class FaceCapture:
    """A take of T frames.

    Attributes:
        blendshapes: Coefficients (T, 52) by `BLENDSHAPES`.
        head: Yaw, pitch and roll of the head (T, 3) in radians, positive to the right, up, and to the right.
        eyes: The same of the left, then the right eye (T, 6).
        is_tracked: Whether a frame shows the face (T,); the values of other frames are 0.
        pts: Times of the frames since the first one (T,) int64, in units of `time_base`.
        time_base: Unit of `pts` in seconds.
    """

    blendshapes: FloatArray
    head: FloatArray
    eyes: FloatArray
    is_tracked: NDArray[np.bool_]
    pts: NDArray[np.int64]
    time_base: Fraction


def read_face_capture(path: Path) -> FaceCapture:
    """Read a take; the order of its columns and the capitals of their names do not matter.

    `TongueOut` and the head's angles may be missing and are 0 then; the eyes' angles are not read, since the
    coefficients say where the eyes look. Other columns are ignored.

    Args:
        path: The CSV file.

    Returns:
        The take.

    Raises:
        InputError: The file cannot be read or is no take; the message names the line.
    """
    try:
        rows = list(_read_rows(path))
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}; check the name") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"'{path}' is no CSV file ({error}); give a take in the layout of Live Link Face") from error
    header = [name.strip().lower() for name in rows[0][1]] if rows else []
    places = _find_columns(header, path)
    if len(rows) < 2:
        raise InputError(f"'{path}' holds no frame, only the names of the columns; record the take again")
    values = np.zeros((len(rows) - 1, len(BLENDSHAPES) + len(HEAD_COLUMNS)), np.float32)
    is_tracked = np.zeros(len(values), np.bool_)
    for number, (line, row) in enumerate(rows[1:]):
        try:
            is_tracked[number] = _is_tracked(row, places)
            if is_tracked[number]:
                values[number] = _read_values(row, header, places)
        except ValueError as error:
            raise InputError(f"'{path}', line {line}: {error}") from error
    pts, time_base = _read_times([(line, row[places["timecode"]]) for line, row in rows[1:]], path)
    blendshapes, head = values[:, :NUM_BLENDSHAPES].clip(min=0), values[:, NUM_BLENDSHAPES:]
    return FaceCapture(blendshapes, head, np.zeros((len(values), 6), np.float32), is_tracked, pts, time_base)


def write_face_capture(capture: FaceCapture, path: str | Path) -> None:
    """Write a take; its timecodes start at 0 and count 60 frames a second, with parts where it has another rate.

    Args:
        capture: The take.
        path: The CSV file.

    Raises:
        OutputError: The file cannot be written.
    """
    order = [BLENDSHAPES.index(name[0].lower() + name[1:]) for name in COLUMNS]
    values = np.concatenate([capture.blendshapes[:, order], capture.head, capture.eyes], axis=1)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("Timecode", COUNT, *COLUMNS, *HEAD_COLUMNS, *EYE_COLUMNS))
    for pts, is_tracked, row in zip(capture.pts.tolist(), capture.is_tracked, values, strict=True):
        count = values.shape[1] if is_tracked else 0
        writer.writerow((format_timecode(pts * capture.time_base), count, *(f"{value:.6f}" for value in row)))
    with replace_file(place_of(path)) as temporary, explain_failure(path):
        temporary.write_text(text.getvalue(), encoding="utf-8")


def _read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line that is not empty."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row


def _find_columns(header: list[str], path: Path) -> dict[str, int]:
    """Find the place of each column by its name in small letters."""
    places = {name: place for place, name in reversed(list(enumerate(header)))}
    if "timecode" not in places:
        raise InputError(f"'{path}', line 1: no column Timecode; give a take in the layout of Live Link Face")
    optional = {name.lower() for name in UNSEEN_BLENDSHAPES}
    missing = [name for name in COLUMNS if name.lower() not in places and name.lower() not in optional]
    if missing:
        also = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(f"'{path}', line 1: no column {missing[0]}{also}; give a take in the layout of Live Link Face")
    return places


def _is_tracked(row: list[str], places: dict[str, int]) -> bool:
    """Whether a line holds a face; the app writes a count of 0 where it saw none."""
    place = places.get(COUNT.lower())
    if place is None:
        return True
    if len(row) <= max(place, places["timecode"]):
        raise ValueError(f"it has {len(row)} cells, too few for its timecode and count")
    try:
        return int(row[place]) != 0
    except ValueError:
        raise ValueError(f"{COUNT} is {row[place]!r}; a whole number is expected") from None


def _read_values(row: list[str], header: list[str], places: dict[str, int]) -> list[float]:
    """Read the coefficients by `BLENDSHAPES`, then the head's angles."""
    if len(row) != len(header):
        raise ValueError(f"it has {len(row)} cells, the first line has {len(header)}")
    columns = [name[0].upper() + name[1:] for name in BLENDSHAPES]
    values = [_read_value(row, places, name, LEAST, LARGEST_BLENDSHAPE) for name in columns]
    return values + [_read_value(row, places, name, -LARGEST_ANGLE, LARGEST_ANGLE) for name in HEAD_COLUMNS]


def _read_value(row: list[str], places: dict[str, int], name: str, low: float, high: float) -> float:
    place = places.get(name.lower())
    if place is None:
        return 0.0
    try:
        value = float(row[place])
    except ValueError:
        raise ValueError(f"{name} is {row[place]!r}; a number is expected") from None
    if not low <= value <= high:
        raise ValueError(f"{name} is {value:g}; a number from {low:.3g} to {high:.3g} is expected")
    return value


def _read_times(cells: Iterable[tuple[int, str]], path: Path) -> tuple[NDArray[np.int64], Fraction]:
    """Read the timecodes of all lines, given with the lines' numbers."""
    timecodes, lines = [], []
    for line, text in cells:
        try:
            timecodes.append(parse_timecode(text))
        except ValueError as error:
            raise InputError(f"'{path}', line {line}: {error}") from error
        lines.append(line)
    try:
        frames, rate = count_frames(timecodes)
    except ValueError as error:
        raise InputError(f"'{path}': {error}; give a take in the layout of Live Link Face") from error
    pts = np.array(frames, np.int64)
    late = np.flatnonzero(np.diff(pts) <= 0)
    if len(late):
        raise InputError(f"'{path}', line {lines[late[0] + 1]}: its timecode is not later than the one before it")
    return pts, 1 / (rate * PARTS)
