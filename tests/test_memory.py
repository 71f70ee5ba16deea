"""Memory does not grow with the driver."""

import pytest

from benchmarks.animate import lengthen, peak_memory
from tests.media.samples import ASTRONAUT


@pytest.mark.slow
def test_peak_memory_does_not_depend_on_the_drivers_length(tmp_path):
    peaks = []
    for seconds in (5, 30):
        driver, output = lengthen(tmp_path, seconds), tmp_path / "out.mp4"
        peaks.append(peak_memory(["animate", ASTRONAUT, driver, "-o", output, "--crop", "--size", 128, "--quiet"]))
    assert peaks[1] < 1.1 * peaks[0] and peaks[1] < 1200
