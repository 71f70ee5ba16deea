import xml.etree.ElementTree as ElementTree

from fadm.evaluation.outputs.plots import BAD, GOOD, UNCLEAR, draw_changes, draw_curves

NAMESPACE = "{http://www.w3.org/2000/svg}"


def test_a_bar_tells_better_from_worse_and_unclear():
    bars = [("L1 <face>", -10.0, -12.0, -8.0, -1), ("PSNR", -5.0, -6.0, -4.0, 1), ("AKD", 1.0, -1.0, 3.0, -1)]
    svg = ElementTree.fromstring(draw_changes(bars))
    rects = svg.findall(f"{NAMESPACE}rect")
    assert [rect.get("fill") for rect in rects] == [GOOD, BAD, UNCLEAR]
    widths = [float(rect.get("width")) for rect in rects]
    assert widths[0] > 1.9 * widths[1] and svg.find(f"{NAMESPACE}text").text == "L1 <face>"


def test_curves_share_their_axes():
    svg = ElementTree.fromstring(draw_curves({"a": [(0, 1), (2, 3)], "b": [(4, 5)]}, "x", "y"))
    circles = svg.findall(f"{NAMESPACE}circle")
    xs, ys = ([float(circle.get(axis)) for circle in circles] for axis in ("cx", "cy"))
    assert len(circles) == 3 and xs[1] - xs[0] == xs[2] - xs[1] and ys[0] > ys[1] > ys[2]
    assert draw_curves({"a": [(0, float("nan"))]}, "x", "y") == ""
