import click
import pytest
import typer

from fadm.cli.commands import app
from tests.cli.command import error_line, run_fadm


def commands_with_outputs(command: click.Command, *names: str) -> list[tuple[str, ...]]:
    """Names of the commands that have an option -o."""
    parts = getattr(command, "commands", {})
    below = [found for name, part in parts.items() for found in commands_with_outputs(part, *names, name)]
    return below + ([names] if any("-o" in parameter.opts for parameter in command.params) else [])


@pytest.mark.parametrize("command", commands_with_outputs(typer.main.get_command(app)), ids=" ".join)
@pytest.mark.parametrize("option", ["-o -", "--output -", "-o-", "--output=-"])
def test_standard_output_is_no_output(tmp_path, monkeypatch, capsys, command, option):
    monkeypatch.chdir(tmp_path)
    assert run_fadm(*command, "a", "b", *option.split()) == 2
    assert error_line(capsys).startswith("-o -: results cannot be written to standard output; give the name of")
    assert list(tmp_path.iterdir()) == []
