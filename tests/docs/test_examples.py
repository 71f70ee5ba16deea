"""README and documentation do what they say: their commands and Python examples run on small stand-ins.

Commands that need what the tests do not have are parsed by the real command line; `stand_ins.PARSED_ONLY` says why.
"""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from fadm.cli.commands import app
from tests.cli.command import run_fadm
from tests.docs.pages import ROOT, Command, read_commands, read_examples
from tests.docs.stand_ins import cut_short, stand_ins, why_not_run

COMMANDS = read_commands()
PARSED = [command for command in COMMANDS if why_not_run(command)]
RUN = [command for command in COMMANDS if command.words[0] in ("fadm", "mkdir") and command not in PARSED]
EXAMPLES = read_examples()


class Workplace:
    """A folder with stand-ins in which commands run, each once, after those that write what they read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.status: dict[Command, int] = {}
        self.makers: dict[str, Command] = {}
        for command in RUN:
            for output in command.outputs:
                self.makers.setdefault(output, command)

    def run(self, command: Command) -> int:
        """Run a command if it has not run yet -> its exit status."""
        if command not in self.status:
            self.status[command] = -1  # what it has while it waits for itself
            self.make_inputs(" ".join(command.words), but=command.outputs)
            if command.words[0] == "mkdir":
                self.status[command] = subprocess.run(command.words, check=False).returncode
            else:
                self.status[command] = run_fadm(*command.words[1:], *cut_short(command))
        return self.status[command]

    def make_inputs(self, text: str, but: tuple[str, ...] = ()) -> None:
        """Run the commands that write the files named in a text, or in the recipes named in it."""
        text += "".join(Path(recipe).read_text() for recipe in re.findall(r"configs/\w+\.toml", text))
        for output, maker in self.makers.items():
            if output in text and output not in but and not Path(output).exists():
                assert self.run(maker) == 0, f"{maker} is needed for {output}"


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    with stand_ins(folder):
        yield Workplace(folder)


@pytest.fixture
def workplace(filled, monkeypatch):
    monkeypatch.chdir(filled.folder)
    return filled


@pytest.mark.slow
@pytest.mark.parametrize("command", RUN, ids=str)
def test_command_runs(workplace, command):
    assert workplace.run(command) == 0
    assert all(Path(output).exists() for output in command.outputs)


@pytest.mark.parametrize("command", PARSED, ids=str)
def test_command_is_parsed(command):
    parse(list(command.words[command.words.index("fadm") + 1 :]))


def parse(words: list[str]) -> None:
    """Let the real command line read its words, without running the command."""
    command, context, name = get_command(app), None, "fadm"
    while True:
        context = command.make_context(name, words, parent=context)
        if not isinstance(command, TyperGroup):
            return
        name, command, words = command.resolve_command(context, [*context._protected_args, *context.args])


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in RUN and c not in PARSED], ids=str)
def test_other_tools_are_called_with_what_exists(command):
    program, *rest = command.words
    if program == "make":
        assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    else:
        assert command.words[:2] == ("pip", "install"), "neither run, parsed nor known"
        extras = re.findall(r"\w+", rest[1].removeprefix("."))
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert {*extras} <= {*project["optional-dependencies"]}


@pytest.mark.slow
@pytest.mark.parametrize("page", EXAMPLES)
def test_python_examples_run(workplace, page):
    workplace.make_inputs(EXAMPLES[page])
    exec(compile(EXAMPLES[page], page, "exec"), {"__name__": "example"})
