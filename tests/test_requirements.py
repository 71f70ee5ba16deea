import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BASE = [Requirement(line) for line in PROJECT["dependencies"]]
EXTRAS = [Requirement(line) for lines in PROJECT["optional-dependencies"].values() for line in lines]
LOCKED = {
    canonicalize_name(name): version
    for name, version in (line.split("==") for line in (ROOT / "requirements.txt").read_text().split())
}


def imported_packages():
    """Names of the modules that fadm's code imports, here without those that `require` loads by name."""
    names = set()
    for path in (ROOT / "fadm").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return names - sys.stdlib_module_names - {"fadm"}


def test_everything_imported_is_declared():
    declared = {canonicalize_name(requirement.name) for requirement in BASE + EXTRAS}
    distributions = packages_distributions()
    for name in imported_packages():
        assert declared & {canonicalize_name(found) for found in distributions[name]}, name


def test_the_base_install_has_no_opencv_no_jax_no_matplotlib():
    names = {canonicalize_name(requirement.name) for requirement in BASE}
    assert not [name for name in names if name.startswith(("mediapipe", "jax", "opencv", "matplotlib"))]


def test_the_locked_versions_fit_the_declared_ones():
    for requirement in BASE + EXTRAS:
        if requirement.name != PROJECT["name"]:
            assert LOCKED[canonicalize_name(requirement.name)] in requirement.specifier, requirement
