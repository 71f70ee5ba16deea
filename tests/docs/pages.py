"""The documentation's pages, and the commands and Python examples in them."""

import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Command:
    """A line of a shell block: its words, without the comment."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join(self.words)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The files and folders that it writes."""
        if self.words[:2] == ("mkdir", "-p"):
            return self.words[2:]
        if "-o" not in self.words or "--dry-run" in self.words:
            return ()
        return (self.words[self.words.index("-o") + 1].rstrip("/"),)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def read_blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL)


@cache
def read_commands() -> list[Command]:
    """Every command of every page in order, each wording once."""
    found: dict[tuple[str, ...], Command] = {}
    for page in PAGES:
        for block in read_blocks(page, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                words = tuple(shlex.split(line, comments=True))
                if words:
                    found.setdefault(words, Command(name_of(page), words))
    return list(found.values())


def read_examples() -> dict[str, str]:
    """The Python examples of each page that has some, as one program."""
    programs = {name_of(page): "\n".join(read_blocks(page, "python")) for page in PAGES}
    return {page: program for page, program in programs.items() if program}


def read_spans(page: Path) -> list[str]:
    """The pieces of code within the text, without the blocks."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]
