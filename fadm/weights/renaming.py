"""Rename the tensors of a released file, and check that every tensor has exactly one place."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from fadm.errors import WeightsError

Shapes = dict[str, tuple[int, ...]]
MOST_LISTED = 8


def rename(
    state_dict: Mapping[str, Tensor], rules: Iterable[tuple[str, str]], ignored: Iterable[str]
) -> dict[str, Tensor]:
    """Rename keys by regular expressions.

    Args:
        state_dict: Tensors by released name.
        rules: Pairs of expression and replacement, applied to each key in order.
        ignored: Expressions of the keys that are left out.

    Returns:
        Tensors by new name.

    Raises:
        WeightsError: Two keys get the same name.
    """
    skipped = [re.compile(pattern) for pattern in ignored]
    renamed: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    for released, tensor in state_dict.items():
        if any(pattern.search(released) for pattern in skipped):
            continue
        key = released
        for pattern, replacement in rules:
            key = re.sub(pattern, replacement, key)
        if key in renamed:
            raise WeightsError(f"{released} and {origin[key]} both stand for {key}")
        renamed[key], origin[key] = tensor, released
    return renamed


def shapes_of(state_dict: Mapping[str, Tensor]) -> Shapes:
    """List names and shapes of a state-dict.

    Args:
        state_dict: Tensors by name.

    Returns:
        Shapes by name.
    """
    return {key: tuple(tensor.shape) for key, tensor in state_dict.items()}


def describe_differences(given: Shapes, expected: Shapes) -> str:
    """Describe the missing, the extra and the misshapen tensors of a state-dict.

    Args:
        given: Shapes by name.
        expected: Shapes by name that are expected.

    Returns:
        One line of text, empty when both agree.
    """
    wrong = [
        f"{key} {given[key]} instead of {expected[key]}"
        for key in expected
        if key in given and given[key] != expected[key]
    ]
    groups = {
        "missing": [key for key in expected if key not in given],
        "extra": [key for key in given if key not in expected],
        "of the wrong shape": wrong,
    }
    return "; ".join(f"{len(keys)} {title}: {_listed(keys)}" for title, keys in groups.items() if keys)


def _listed(names: list[str]) -> str:
    rest = len(names) - MOST_LISTED
    return ", ".join(names[:MOST_LISTED]) + (f" and {rest} more" if rest > 0 else "")
