"""What the documentation's text names exists: files, pages, commands and options."""

import re

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from fadm.cli.commands import app
from tests.docs.pages import PAGES, ROOT, name_of, read_spans

FOLDERS = ("fadm", "tests", "benchmarks", "examples", "configs", "docs")


def list_options(command) -> dict[str, set[str]]:
    """The options of each command by its name, such as `train renderer`."""
    found = {}
    for name, part in command.commands.items():
        if isinstance(part, TyperGroup):
            found |= {f"{name} {inner}": options for inner, options in list_options(part).items()}
        else:
            found[name] = {flag for p in part.params for flag in (*p.opts, *p.secondary_opts)} | {"--help"}
    return found


OPTIONS = list_options(get_command(app))
ANY_OPTION = {"--version"}.union(*OPTIONS.values())


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_exist(page):
    for span in read_spans(page):
        words = span.split()
        given = {word for word in words if word.startswith("--")}
        if words[0] == "fadm" and given:
            named = [name for name in OPTIONS if span.startswith(f"fadm {name} ")]
            known = OPTIONS[max(named, key=len)] if named else {"--help", "--version"}
            assert given <= known, span
        elif words[0].startswith("--"):
            assert given <= ANY_OPTION, span


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist(page):
    groups = {name.split()[0] for name in OPTIONS}
    for span in read_spans(page):
        if re.match(r"fadm \w", span):
            name = span.split()[1]
            assert any(span.startswith(f"fadm {known}") for known in OPTIONS) or name in groups, span


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_exist(page):
    for span in read_spans(page):
        for path in re.findall(rf"(?<![\w/.])(?:{'|'.join(FOLDERS)})/[\w/.]*", span):
            assert (ROOT / path).exists(), span
        for module in re.findall(r"-m (benchmarks\.\w+)", span):
            assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), span


def test_links_of_the_readme_exist():
    links = re.findall(r"\]\((?!https?://)([^)#]+)", (ROOT / "README.md").read_text())
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent != ROOT], ids=name_of)
def test_page_is_in_the_navigation(page):
    assert f" {page.relative_to(ROOT / 'docs')}\n" in (ROOT / "mkdocs.yml").read_text()
