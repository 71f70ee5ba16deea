"""A hash of everything that makes training pairs beside the clips, by which cached pairs are named."""

import ast
import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from fadm.weights.registry import describe_weights

PACKAGES = ("ai-edge-litert", "numpy", "pillow", "torch")
PACKAGE = Path(__file__).parents[2]
# What the pixels and numbers of a pair pass through.
CODE = (
    "options.py",
    "device.py",
    "media/crop.py",
    "media/frames.py",
    "face",
    "attributes",
    "coarse",
    "rendering/conditions.py",
    "rendering/frame_conditions.py",
    "animation/animator.py",
    "animation/build.py",
    "animation/choices.py",
    "animation/driver.py",
    "data/clips.py",
    "data/shards.py",
    "data/pairs",
)


def take_fingerprint(*weights: str) -> str:
    """Hash the code that makes pairs, the models that it runs and the given weights.

    Args:
        weights: Names or files of the weights that take part, such as those of DECA.

    Returns:
        SHA-256 in hexadecimal.
    """
    models = [describe_weights(name).sha256 for name in ("landmark_model", *weights)]
    parts = [hash_code(), *(f"{name} {version(name)}" for name in PACKAGES), *models]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def hash_code() -> str:
    """Hash the code of `CODE`: its syntax trees, so that comments, docstrings and layout do not count."""
    digest = hashlib.sha256()
    for place in CODE:
        path = PACKAGE / place
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in (".py", ".txt"):
                content = describe_code(file.read_text()) if file.suffix == ".py" else file.read_text()
                digest.update(f"{file.relative_to(PACKAGE)}\n{content}\n".encode())
    return digest.hexdigest()


def describe_code(text: str) -> str:
    """Describe what a module does.

    Args:
        text: The module's source.

    Returns:
        Its syntax tree without docstrings.
    """
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not _is_text(part)]
    return ast.dump(tree)


def _is_text(node: ast.stmt) -> bool:
    """Whether a statement is a text alone, as docstrings are."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
