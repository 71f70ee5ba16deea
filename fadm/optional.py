"""Packages and pretrained networks beyond the base install: asked for when they are used."""

from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from fadm.errors import PackageError


def require(module: str, *, package: str, purpose: str, extra: str | None = "eval") -> Any:
    """Import a module of an optional package; extra: of ours, that the package comes with.

    Raises PackageError that names the package and how to get it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise PackageError(
            f"{purpose} needs the package {package}, which cannot be imported ({error}): `pip install {package}`"
            + (f", or `pip install '.[{extra}]'` in fadm's folder for all that can be had so" if extra else "")
        ) from error


def find_checkpoint(given: Path | None, name: str, *, url: str, purpose: str) -> Path:
    """The given file, or the one of that name in torch's folder of downloads; nothing is downloaded here.

    Raises PackageError that says where to get the file and where to put it.
    """
    path = given if given is not None else Path(torch.hub.get_dir()) / "checkpoints" / name
    if not path.is_file():
        raise PackageError(f"{purpose} needs the pretrained network {name}: download {url} and save it as {path}")
    return path
