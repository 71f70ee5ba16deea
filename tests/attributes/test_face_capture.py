import csv
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fadm.attributes.face_capture import COLUMNS, EYE_COLUMNS, HEAD_COLUMNS, FaceCapture, read_face_capture
from fadm.attributes.face_capture import write_face_capture as write
from fadm.blendshapes import BLENDSHAPES
from fadm.errors import InputError, OutputError


def make_capture(count: int = 70) -> FaceCapture:
    """One frame without a face; 30 frames a second."""
    rng = np.random.default_rng(0)
    is_tracked = np.arange(count) != 2
    values = [rng.uniform(low, 1, (count, width)).astype(np.float32) for low, width in ((0, 52), (-1, 3), (-0.3, 6))]
    values = [np.where(is_tracked[:, None], value, 0).astype(np.float32) for value in values]
    return FaceCapture(*values, is_tracked, 2 * np.arange(count), Fraction(1, 60))


def write_cells(path: Path, change, count: int = 70) -> Path:
    """Write a take, and change its cells."""
    write(make_capture(count), path)
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    change(rows)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_a_take_comes_back(tmp_path):
    capture = make_capture()
    write(capture, tmp_path / "take.csv")
    read = read_face_capture(tmp_path / "take.csv")
    np.testing.assert_allclose(read.blendshapes, capture.blendshapes, atol=1e-6)
    np.testing.assert_allclose(read.head, capture.head, atol=1e-6)
    assert read.is_tracked.tolist() == capture.is_tracked.tolist()
    assert [pts * read.time_base for pts in read.pts] == [pts * capture.time_base for pts in capture.pts]
    assert [path.name for path in tmp_path.iterdir()] == ["take.csv"]


def test_the_layout_is_that_of_the_app(tmp_path):
    write(make_capture(), tmp_path / "take.csv")
    header, first, *_ = (tmp_path / "take.csv").read_text().splitlines()
    names = header.split(",")
    assert len(names) == 63 and names[:4] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft", "EyeLookDownLeft"]
    assert names[16:20] == ["JawForward", "JawRight", "JawLeft", "JawOpen"]
    assert names[53:57] == ["TongueOut", "HeadYaw", "HeadPitch", "HeadRoll"] and names[-1] == "RightEyeRoll"
    assert first.split(",")[:2] == ["00:00:00:00.000", "61"]
    assert {name.lower() for name in COLUMNS} == {name.lower() for name in BLENDSHAPES}


def test_columns_are_found_by_name_in_any_order_and_spelling(tmp_path):
    def change(rows):
        rows[:] = [row[::-1] for row in rows]
        rows[0] = [name.lower() for name in rows[0]]
        for number, row in enumerate(rows):
            row.insert(4, "extra" if not number else "unknown")

    read = read_face_capture(write_cells(tmp_path / "take.csv", change))
    np.testing.assert_allclose(read.blendshapes, make_capture().blendshapes, atol=1e-6)


def test_tongue_and_angles_may_be_missing_and_are_0(tmp_path):
    def change(rows):
        keep = [i for i, name in enumerate(rows[0]) if name not in ("TongueOut", *HEAD_COLUMNS, *EYE_COLUMNS)]
        rows[:] = [[row[i] for i in keep] for row in rows]

    read = read_face_capture(write_cells(tmp_path / "take.csv", change))
    assert read.blendshapes[:, BLENDSHAPES.index("tongueOut")].max() == 0 and not read.head.any()
    assert read.blendshapes[:, BLENDSHAPES.index("jawOpen")].max() > 0.5


def test_a_byte_order_mark_and_empty_lines_are_no_content(tmp_path):
    path = tmp_path / "take.csv"
    write(make_capture(), path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\n")
    assert len(read_face_capture(path).pts) == 70


def test_a_line_without_values_is_a_frame_without_a_face(tmp_path):
    def change(rows):
        rows[5] = [rows[5][0], "0"]

    read = read_face_capture(write_cells(tmp_path / "take.csv", change))
    assert np.flatnonzero(~read.is_tracked).tolist() == [2, 4] and not read.blendshapes[4].any()


def test_values_a_little_below_0_count_as_0(tmp_path):
    def change(rows):
        rows[1][2] = "-0.01"

    assert read_face_capture(write_cells(tmp_path / "take.csv", change)).blendshapes[0].min() == 0


JAW = 2 + COLUMNS.index("JawOpen")
BAD = {
    "text": (lambda rows: rows[4].__setitem__(JAW, "wide"), "line 5: JawOpen is 'wide'; a number is expected"),
    "empty": (lambda rows: rows[1].__setitem__(JAW, ""), "line 2: JawOpen is ''; a number is expected"),
    "nan": (lambda rows: rows[1].__setitem__(JAW, "nan"), "line 2: JawOpen is nan; a number from -0.05 to 1.5"),
    "percent": (lambda rows: rows[1].__setitem__(JAW, "45.2"), "line 2: JawOpen is 45.2; a number from -0.05 to 1.5"),
    "degrees": (lambda rows: rows[1].__setitem__(54, "-20"), "line 2: HeadYaw is -20; a number from -6.28 to 6.28"),
    "short": (lambda rows: rows[5].pop(), "line 6: it has 62 cells, the first line has 63"),
    "long": (lambda rows: rows[5].append("0"), "line 6: it has 64 cells, the first line has 63"),
    "one cell": (lambda rows: rows.__setitem__(5, ["end"]), "line 6: it has 1 cells, too few"),
    "count": (lambda rows: rows[5].__setitem__(1, "all"), "line 6: BlendShapeCount is 'all'; a whole number"),
    "clock": (lambda rows: rows[5].__setitem__(0, "0.5"), "line 6: '0.5' is no timecode such as 14:03:52:28.207"),
    "stands": (
        lambda rows: rows[5].__setitem__(0, rows[4][0]),
        "line 6: its timecode is not later than the one before",
    ),
    "backwards": (lambda rows: rows.insert(5, rows.pop(9)), "line 7: its timecode is not later than the one before"),
    "frames": (lambda rows: rows[5].__setitem__(0, "00:00:00:999"), "frame 999 of a second: a second has at most 240"),
    "no clock": (lambda rows: rows[0].__setitem__(0, "Time"), "line 1: no column Timecode; give a take in the layout"),
    "no jaw": (lambda rows: rows[0].__setitem__(JAW, "Jaw"), "line 1: no column JawOpen; give a take"),
    "other": (lambda rows: rows[0].__setitem__(slice(2, 5), "abc"), "no column EyeBlinkLeft and 2 more; give a take"),
    "no frames": (lambda rows: rows.__delitem__(slice(1, None)), "holds no frame, only the names of the columns"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_bad_takes_are_refused_with_the_line(tmp_path, case):
    change, message = BAD[case]
    path = write_cells(tmp_path / "take.csv", change)
    with pytest.raises(InputError, match=f"^'.*take.csv'.*{message}") as raised:
        read_face_capture(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no column Timecode"), (b"\xff\xd8\xff\xe0" * 20, "is no CSV file"), (b"\0" * 50, "no column Timecode")],
)
def test_files_of_other_kinds_are_refused(tmp_path, content, message):
    path = tmp_path / "take.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_face_capture(path)


def test_a_missing_file_and_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_face_capture(tmp_path / "none.csv")
    with pytest.raises(OutputError, match="none"):
        write(make_capture(), tmp_path / "none" / "take.csv")
