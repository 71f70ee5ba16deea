"""The import graph: stages know only what comes before them, and the package loads nothing heavy by itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fadm"

# The stages in order: each imports earlier ones only.
STAGES = ("media", "face", "attributes", "coarse", "diffusion", "rendering", "animation")
INFRASTRUCTURE = {
    "blendshapes",
    "config",
    "controls",
    "device",
    "errors",
    "files",
    "optional",
    "options",
    "processes",
    "progress",
    "templates",
    "weights",
}
# What no stage imports, and which stages and helpers each of them may import beside the infrastructure.
AROUND = {
    "metrics": {"media", "face", "attributes"},
    "networks": {"media", "face", "attributes", "coarse", "diffusion", "rendering", "metrics"},
    "data": {*STAGES, "networks", "metrics"},
    "training": {*STAGES, "networks", "metrics", "data"},
    "evaluation": {*STAGES, "networks", "metrics", "data"},
    "cli": {*STAGES, "data", "training", "evaluation"},
    "__main__": {"cli"},
}


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


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_only_stages_before_it(stage):
    earlier = set(STAGES[: STAGES.index(stage)])
    if stage == "diffusion":
        earlier = set()  # not a word about faces
    assert GRAPH[stage] <= earlier | INFRASTRUCTURE


@pytest.mark.parametrize("part", sorted(AROUND))
def test_what_is_around_the_stages_keeps_its_place(part):
    assert GRAPH[part] - {"__version__"} <= AROUND[part] | INFRASTRUCTURE


@pytest.mark.parametrize("part", sorted(INFRASTRUCTURE - {"weights"}))
def test_infrastructure_imports_no_stage(part):
    assert GRAPH[part] <= INFRASTRUCTURE


def test_weights_are_opened_without_knowing_a_stage():
    """Only the importer of released files knows the networks that it converts to."""
    for path in (PACKAGE / "weights").glob("*.py"):
        assert {part_of(module) for module in read_imports(path)} <= INFRASTRUCTURE, path
    importer = {part_of(m) for path in (PACKAGE / "weights" / "released").glob("*.py") for m in read_imports(path)}
    assert importer <= {*STAGES[:-1]} | INFRASTRUCTURE


def test_every_part_has_its_place():
    assert GRAPH.keys() == {*STAGES, *INFRASTRUCTURE, *AROUND, "__init__"}


@pytest.mark.parametrize("module", ["fadm", "fadm.cli"])
def test_the_package_and_its_command_load_nothing_heavy(module):
    heavy = {"torch", "ai_edge_litert", "av", "rich.progress", "matplotlib"}
    question = f"import sys, {module}; print(*{heavy} & set(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", question], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert answer.stdout.split() == []


def test_a_relative_import_is_noticed(tmp_path):
    (tmp_path / "module.py").write_text("from . import other")
    with pytest.raises(AssertionError, match="imports relatively"):
        read_imports(tmp_path / "module.py")
