"""Packages and pretrained networks beyond the base install, loaded where they are used."""

from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from fadm.errors import PackageError


def require(module: str, *, package: str, purpose: str, extra: str | None = "eval") -> Any:
    """Import a module of an optional package.

    Args:
        module: The module.
        package: The package's name for pip.
        purpose: What needs it, to begin the error message with.
        extra: The extra of this project that contains the package, None if there is none.

    Returns:
        The module.

    Raises:
        PackageError: The module cannot be imported; the message says how to install the package.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise PackageError(
            f"{purpose} needs the package {package}, which cannot be imported ({error}): `pip install {package}`"
            + (f", or `pip install '.[{extra}]'` in fadm's folder for all packages of that extra" if extra else "")
        ) from error


def find_checkpoint(given: Path | None, name: str, *, url: str, purpose: str) -> Path:
    """Find a pretrained network's file; nothing is downloaded.

    Args:
        given: The file that the user named; None for PyTorch's folder of downloaded checkpoints.
        name: Name of the file in that folder.
        url: Where to download it.
        purpose: What needs it, to begin the error message with.

    Returns:
        The path of the file.

    Raises:
        PackageError: There is no such file; the message says where to get it and where to save it.
    """
    path = given if given is not None else Path(torch.hub.get_dir()) / "checkpoints" / name
    if not path.is_file():
        raise PackageError(f"{purpose} needs the pretrained network {name}: download {url} and save it as {path}")
    return path
