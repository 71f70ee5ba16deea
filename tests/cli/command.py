"""The command line as its users call it."""

import pytest

from fadm.cli import main


def run_fadm(*arguments: object) -> int:
    """Run the entry point -> its exit status."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The only line that a user's mistake prints, without the program's name."""
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == "" and len(lines) == 1 and lines[0].startswith("fadm: "), captured
    return lines[0].removeprefix("fadm: ")
