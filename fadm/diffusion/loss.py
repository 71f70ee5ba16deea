"""How far an answer is from what was asked: the errors of the paper and of the released code, by name."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from fadm.errors import OptionError


def squared(answer: Tensor, target: Tensor) -> Tensor:
    """Mean squared error, a scalar: both losses as the paper writes them."""
    return (answer.float() - target.float()).square().mean()


def absolute(answer: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error, a scalar: the released code's colour loss."""
    return (answer.float() - target.float()).abs().mean()


def absolute_sum(answer: Tensor, target: Tensor) -> Tensor:
    """Sum of the absolute errors, a scalar: the released code's loss of the noise."""
    return (answer.float() - target.float()).abs().sum()


ErrorName = Literal["squared", "absolute", "absolute_sum"]

ERRORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "squared": squared,
    "absolute": absolute,
    "absolute_sum": absolute_sum,
}


def measure_error(name: str, answer: Tensor, target: Tensor) -> Tensor:
    """The named error of two tensors of one shape, a float32 scalar; OptionError for an unknown name."""
    if name not in ERRORS:
        raise OptionError(f"loss {name!r} is unknown; choose {', '.join(ERRORS)}")
    return ERRORS[name](answer, target)
