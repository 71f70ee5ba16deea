import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from fadm.errors import PackageError
from fadm.evaluation.outputs.plots import BAD, COLOURS, GOOD, UNCLEAR, draw_changes, draw_curves

NAMESPACE = "{http://www.w3.org/2000/svg}"
BARS = [("L1 <face>", -10.0, -12.0, -8.0, -1), ("PSNR", -5.0, -6.0, -4.0, 1), ("AKD", 1.0, -1.0, 3.0, -1)]


def colour_of(element: ElementTree.Element) -> str:
    return re.search(r"fill: (#\w+)|$", element.get("style", "")).group(1) or ""


def width_of(path: ElementTree.Element) -> float:
    xs = [float(x) for x in re.findall(r"[ML] (\S+)", path.get("d"))]
    return max(xs) - min(xs)


def texts_of(svg: ElementTree.Element) -> list[str]:
    return [text.text for text in svg.iter(f"{NAMESPACE}text")]


def test_a_bar_tells_better_from_worse_and_unclear():
    svg = ElementTree.fromstring(draw_changes(BARS))
    bars = [path for path in svg.iter(f"{NAMESPACE}path") if colour_of(path) in (GOOD, BAD, UNCLEAR)]
    assert [colour_of(bar) for bar in bars] == [GOOD, BAD, UNCLEAR]
    widths = [width_of(bar) for bar in bars]
    assert widths[0] > 1.9 * widths[1]
    assert [text for text in texts_of(svg) if text[0].isalpha()] == ["L1 <face>", "PSNR", "AKD"]
    assert [text for text in texts_of(svg) if text.endswith("%")] == ["-10.0 %", "-5.0 %", "+1.0 %"]


def test_curves_share_their_axes():
    svg = ElementTree.fromstring(draw_curves({"a": [(0, 1), (2, 3)], "b": [(4, 5)]}, "x", "y"))
    legend = {id(use) for group in svg.iter() if group.get("id") == "legend_1" for use in group.iter()}
    circles = [use for use in svg.iter(f"{NAMESPACE}use") if colour_of(use) in COLOURS and id(use) not in legend]
    xs, ys = ([float(circle.get(axis)) for circle in circles] for axis in ("x", "y"))
    assert len(circles) == 3 and xs[1] - xs[0] == pytest.approx(xs[2] - xs[1]) and ys[0] > ys[1] > ys[2]
    assert {"x", "y", "a", "b"} <= set(texts_of(svg))
    assert draw_curves({"a": [(0, float("nan"))]}, "x", "y") == ""


def test_long_curves_have_no_marks():
    svg = ElementTree.fromstring(draw_curves({"a": [(i, i * i) for i in range(40)]}, "x", "y"))
    assert not [use for use in svg.iter(f"{NAMESPACE}use") if colour_of(use) in COLOURS]


@pytest.mark.filterwarnings("error")
def test_a_clip_may_have_any_name():
    name = "$clip$_^{视频} <a>&"
    assert name in texts_of(ElementTree.fromstring(draw_curves({"a": [(0, 1)]}, name, "y")))


def test_the_same_numbers_give_the_same_bytes_in_any_process():
    """A run that is resumed writes its files again, and only the timing may differ."""
    code = f"from fadm.evaluation.outputs.plots import *; print(draw_changes({BARS}), end='')"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout == draw_changes(BARS) == draw_changes(BARS)


@pytest.mark.slow
def test_plots_load_matplotlib_only_when_drawn_and_leave_pyplot_alone():
    code = (
        "import sys; from fadm.evaluation.outputs.plots import draw_curves; print('matplotlib' in sys.modules); "
        "import matplotlib; before = matplotlib.rcParams.copy(); draw_curves({'a': [(0, 1)]}, 'x', 'y'); "
        "print('matplotlib.pyplot' in sys.modules, before == matplotlib.rcParams.copy())"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False", "True"]


def test_without_matplotlib_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(PackageError, match=r"a plot needs the package matplotlib.*pip install '.\[eval\]'"):
        draw_changes(BARS)
