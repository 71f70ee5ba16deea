import json
import os
import re

import pytest

from fadm.cli.progress import show_progress
from tests.cli.process import start_fadm

DRAWS = """
import sys
from fadm.cli.progress import show_progress
with show_progress(quiet=False, as_json=False) as progress:
    for name in ("tracking", "rendering"):
        progress.stage(name, 3)
        for _ in range(3):
            progress.advance()
        print("a warning about", name, file=sys.stderr)
    print("result")
    progress.finish({}, "a.mp4: 3 frames")
print("fadm: next line", file=sys.stderr)
"""


def test_brackets_in_a_sentence_are_no_markup(capsys):
    with show_progress(quiet=False, as_json=False) as progress:
        progress.finish({}, "clip[bold][/].mp4: 4 frames")
    assert capsys.readouterr().err == "clip[bold][/].mp4: 4 frames\n"


def test_json_lines_end_with_the_report(capsys):
    with show_progress(quiet=False, as_json=True) as progress:
        progress.stage("rendering", 1)
        progress.advance()
        progress.finish({"output": "a[b].mp4"}, "a[b].mp4: 1 frame")
    *_, last, report = map(json.loads, capsys.readouterr().out.splitlines())
    assert last == {"stage": "rendering", "done": 1, "total": 1} and report == {"output": "a[b].mp4"}


def test_silence(capsys):
    with show_progress(quiet=True, as_json=False) as progress:
        progress.stage("rendering", 1)
        progress.advance()
        progress.finish({}, "a.mp4: 4 frames")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}])
def test_each_stage_is_a_line_where_there_is_no_terminal(environment):
    out, err = start_fadm(program=DRAWS, env=os.environ | environment).communicate(timeout=20)
    assert out == "result\n"
    lines = ["a warning about tracking", "tracking: 3 in .* s", "a warning about rendering", "rendering: 3 in .* s"]
    for line, expected in zip(err.splitlines(), [*lines, "a.mp4: 3 frames", "fadm: next line"], strict=True):
        assert re.fullmatch(expected, line)


def test_a_stage_that_failed_is_no_line(capsys):
    with pytest.raises(ValueError), show_progress(quiet=False, as_json=False) as progress:
        progress.stage("rendering", 1)
        raise ValueError
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("kind", "is_drawn"), [("xterm", True), ("dumb", False)])
def test_on_a_terminal_no_line_is_glued_to_a_bar(kind, is_drawn):
    terminal, far_end = os.openpty()
    environment = os.environ | {"TERM": kind, "COLUMNS": "80"}
    process = start_fadm(program=DRAWS, stderr=far_end, env=environment)
    os.close(far_end)
    assert process.communicate(timeout=20)[0] == "result\n"  # not drawn above the bars
    shown = ""
    while part := read(terminal):
        shown += part
    os.close(terminal)
    assert ("━" in shown) == is_drawn
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r\n", "\n")
    lines = [line.rpartition("\r")[2].strip() for line in plain.split("\n")]
    for line in ("a warning about tracking", "a warning about rendering", "a.mp4: 3 frames", "fadm: next line"):
        assert line in lines, shown


def read(terminal: int) -> str:
    try:
        return os.read(terminal, 65536).decode()
    except OSError:  # the far end is closed
        return ""
