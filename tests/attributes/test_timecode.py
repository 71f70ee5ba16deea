from fractions import Fraction

import pytest

from fadm.attributes.timecode import Timecode, count_frames, format_timecode, parse_timecode


def count(*texts: str) -> tuple[list[int], Fraction]:
    return count_frames([parse_timecode(text) for text in texts])


def label(number: int, rate: int) -> str:
    seconds, frame = divmod(number, rate)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frame:02d}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("14:03:52:28.207", Timecode(50632, 28207)),
        ("00:00:00:00", Timecode(0, 0)),
        (" 1:02:03:04.5 ", Timecode(3723, 4500)),
        ("00:01:00;02.000", Timecode(60, 2000, is_dropping=True)),
    ],
)
def test_a_timecode_is_read(text, expected):
    assert parse_timecode(text) == expected


@pytest.mark.parametrize("text", ["", "12.5", "00:00:61:00", "00:60:00:00", "1:2:3", "00:00:00:-1", "00:00:00:1e3"])
def test_what_is_no_timecode(text):
    with pytest.raises(ValueError, match=r"is no timecode such as 14:03:52:28\.207"):
        parse_timecode(text)


@pytest.mark.parametrize("rate", [24, 25, 30, 48, 50, 60, 100, 120])
def test_the_rate_is_seen_where_the_seconds_change(rate):
    frames, found = count(*(label(number, rate) for number in range(7, 3 * rate)))
    assert found == rate
    assert frames == [1000 * number for number in range(3 * rate - 7)]


def test_every_second_frame_and_frames_that_are_missing():
    numbers = [number for number in range(0, 200, 2) if not 40 <= number < 52]
    frames, rate = count(*(label(number, 60) for number in numbers))
    assert rate == 60 and frames == [1000 * number for number in numbers]


def test_a_take_within_a_second_has_the_apps_rate():
    assert count("10:00:00:03", "10:00:00:04") == ([0, 1000], 60)
    assert count("10:00:00:03.250") == ([0], 60)
    assert count("10:00:00:03", "10:00:00:77") == ([0, 74000], 100)


def test_parts_of_a_frame_count():
    frames, rate = count("10:00:00:58.900", "10:00:00:59.950", "10:00:01:01.000")
    assert (frames, rate) == ([0, 1050, 2100], 60)


def test_midnight_is_passed():
    frames, _ = count("23:59:59:58", "23:59:59:59", "00:00:00:00")
    assert frames == [0, 1000, 2000]


def test_dropped_labels_are_no_missing_frames():
    """At each minute but every tenth two labels of 30 are left out, so that the clock stays right."""
    frames, rate = count("00:00:59;28", "00:00:59;29", "00:01:00;02", "00:01:00;03")
    assert frames == [0, 1000, 2000, 3000] and rate == Fraction(30000, 1001)
    frames, rate = count("00:00:59;58", "00:00:59;59", "00:01:00;04")
    assert frames == [0, 1000, 2000] and rate == Fraction(60000, 1001)
    frames, _ = count("00:09:59;28", "00:09:59;29", "00:10:00;00")
    assert frames == [0, 1000, 2000]


def test_too_many_frames_in_a_second():
    with pytest.raises(ValueError, match="frame 967 of a second: a second has at most 240 frames"):
        count("00:00:00:967", "00:00:01:000")


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (Fraction(0), "00:00:00:00.000"),
        (Fraction(1, 25), "00:00:00:02.400"),
        (Fraction(59999, 60000), "00:00:00:59.999"),
        (3723 + Fraction(1, 2), "01:02:03:30.000"),
    ],
)
def test_a_time_is_written_and_read(time, expected):
    assert format_timecode(time) == expected
    read = parse_timecode(expected)
    assert read.second + Fraction(read.frame, 60000) == time
