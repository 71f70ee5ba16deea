from fractions import Fraction

import pytest

from fadm.errors import OptionError
from fadm.options import AnimateOptions, EnhanceOptions, MotionOptions


@pytest.mark.parametrize("rate", ["0.01", "25", "29.97", "30000/1001", "1000"])
def test_rates_of_videos_are_taken(rate):
    assert MotionOptions(rate=Fraction(rate)).rate == Fraction(rate)


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        ("0", "--rate 0: give a number from 0.01 to 1000"),
        ("-25", "--rate -25: give a number from 0.01 to 1000"),
        ("1000.1", "--rate 1000.1: give a number"),
        ("1e400", r"--rate 1.00000e\+400: give a number"),
        ("25.123456789123", "--rate 25.123456789123: more digits than a video holds; give for instance 29.97"),
        ("2147483649/2147483648", "more digits than a video holds"),
    ],
)
@pytest.mark.parametrize("options", [MotionOptions, AnimateOptions])
def test_rates_that_no_video_has(options, rate, message):
    with pytest.raises(OptionError, match=message):
        options(rate=Fraction(rate))


@pytest.mark.parametrize("options", [AnimateOptions, EnhanceOptions])
def test_an_audio_track_is_counted_from_one_and_is_heard(options):
    assert options(audio_track=2).audio_track == 2
    with pytest.raises(OptionError, match="--audio-track 0: give 1 or more"):
        options(audio_track=0)
    with pytest.raises(OptionError, match="--no-audio leaves it out"):
        options(audio_track=1, audio=False)
