"""The import graph: stages know only what comes before them, and the package loads nothing heavy by itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fadm"

# Which other stages each stage may import.
STAGES = {
    "media": set(),
    "face": {"media"},
    "attributes": {"media", "face"},
    "coarse": {"media", "face", "attributes"},
    "diffusion": set(),
    "conditioning": {"attributes", "diffusion"},
    "renderer": {"conditioning", "diffusion"},
}
INFRASTRUCTURE = {"weights", "config", "errors", "device", "options", "progress"}
AROUND = {"data", "metrics", "training", "evaluation", "cli", "web", "__main__"}  # imported by each other alone


def part_of(module: str) -> str:
    """`fadm.face.tracker` -> `face`."""
    return module.split(".")[1] if "." in module else ""


def read_imports(path: Path) -> set[str]:
    """Modules of this package that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {module for module in found if module.split(".")[0] == "fadm"}


def import_graph() -> dict[str, set[str]]:
    """For each part of the package (a folder or a module at its top) the parts that it imports, without itself."""
    graph: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).with_suffix("").parts[0]
        graph.setdefault(part, set()).update(part_of(module) for module in read_imports(path))
    return {part: imported - {part} for part, imported in graph.items()}


GRAPH = import_graph()


def test_the_graph_is_read():
    assert {"media", "face"} <= GRAPH["coarse"]
    assert {"training", "data"} <= GRAPH["cli"]  # imported within a function


@pytest.mark.parametrize("stage", list(STAGES))
def test_a_stage_imports_only_stages_before_it(stage):
    assert GRAPH[stage] <= STAGES[stage] | INFRASTRUCTURE


@pytest.mark.parametrize("part", sorted(GRAPH.keys() - AROUND))
def test_only_what_is_around_the_stages_imports_it(part):
    assert not GRAPH[part] & AROUND


@pytest.mark.parametrize("module", ["fadm", "fadm.cli"])
def test_the_package_and_its_command_load_nothing_heavy(module):
    question = f"import sys, {module}; print(*{{'torch', 'mediapipe', 'av'}} & set(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", question], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert answer.stdout.split() == []


def test_a_relative_import_is_noticed(tmp_path):
    (tmp_path / "module.py").write_text("from . import other")
    with pytest.raises(AssertionError, match="imports relatively"):
        read_imports(tmp_path / "module.py")
