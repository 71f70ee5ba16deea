"""The losses of the paper and of the released code, by name."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from fadm.errors import OptionError


def squared(output: Tensor, target: Tensor) -> Tensor:
    """Mean squared error, as the paper writes both losses.

    Args:
        output: Network output, any shape.
        target: Target of the same shape.

    Returns:
        A float32 scalar.
    """
    return (output.float() - target.float()).square().mean()


def absolute(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error, the released code's colour loss.

    Args:
        output: Network output, any shape.
        target: Target of the same shape.

    Returns:
        A float32 scalar.
    """
    return (output.float() - target.float()).abs().mean()


def absolute_sum(output: Tensor, target: Tensor) -> Tensor:
    """Sum of the absolute errors, the released code's denoising loss.

    Args:
        output: Network output, any shape.
        target: Target of the same shape.

    Returns:
        A float32 scalar.
    """
    return (output.float() - target.float()).abs().sum()


ErrorName = Literal["squared", "absolute", "absolute_sum"]

ERRORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "squared": squared,
    "absolute": absolute,
    "absolute_sum": absolute_sum,
}


def measure_error(name: str, output: Tensor, target: Tensor) -> Tensor:
    """Measure an error by its name.

    Args:
        name: `squared`, `absolute` or `absolute_sum`.
        output: Network output, any shape.
        target: Target of the same shape.

    Returns:
        A float32 scalar.

    Raises:
        OptionError: The name is unknown.
    """
    if name not in ERRORS:
        raise OptionError(f"loss {name!r} is unknown; choose {', '.join(ERRORS)}")
    return ERRORS[name](output, target)
