import json

from fadm.cli.progress import show_progress


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
        progress.finish({}, "a.mp4: 4 frames")
    assert capsys.readouterr() == ("", "")
