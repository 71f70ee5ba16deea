"""The linear map between blendshape coefficients and the face model's numbers, learned from tracked clips.

Both ways it is a ridge regression on differences from each clip's mean, so that features of a face are no expression.
What moves together in the clips is still told apart: coefficients of brows and eyes move the upper part of the face
alone, the others its lower part. The numbers are expression, jaw rotation and gaze, one after the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor

from fadm.attributes.face_attributes import FaceAttributes
from fadm.blendshapes import BLENDSHAPES, NUM_BLENDSHAPES

NUM_OTHERS = 3 + 4  # of jaw rotation and gaze, after the expression
# Added to the variances of the coefficients, which all have one scale: one that clips hardly use moves little.
RIDGE = 3e-4
NUMBER_RIDGE = 0.1  # added to the variances of the numbers, each of which is 1
LEAST_NUMBER = 0.005  # numbers of a smaller deviation are noise
UPPER_BLENDSHAPES = ("brow", "eye", "cheekSquint")  # how the names of those of the face's upper part begin
LEAST_VARIANCE = 1e-5  # of a coefficient on held-out clips, below which no share is measured


class FaceMovement(NamedTuple):
    """What B faces do.

    Attributes:
        expression: Coefficients of the expression basis (B, E), in standard deviations.
        jaw: Jaw rotation (B, 3), axis-angle in radians.
        gaze: Shift of both irises (B, 4), in model units.
    """

    expression: Tensor
    jaw: Tensor
    gaze: Tensor


@dataclass(frozen=True)
class Performance:
    """What one person does in the T frames of a clip, in both languages.

    Attributes:
        numbers: Expression, jaw rotation and gaze (T, E + 7), as `join_numbers` gives them.
        blendshapes: Coefficients (T, 52).
    """

    numbers: Tensor
    blendshapes: Tensor


@dataclass(frozen=True)
class BlendshapeMap:
    """The map, and the means of all clips, which it maps to each other.

    Attributes:
        number_slopes: Change of the numbers by each coefficient (E + 7, 52).
        blendshape_slopes: Change of the coefficients by each number (52, E + 7).
        mean_numbers: Mean of the clips' mean numbers (E + 7,).
        mean_blendshapes: Mean of the clips' mean coefficients (52,).
    """

    number_slopes: Tensor
    blendshape_slopes: Tensor
    mean_numbers: Tensor
    mean_blendshapes: Tensor

    def to_expression(self, blendshapes: Tensor) -> FaceMovement:
        """Compute the faces that coefficients stand for.

        Args:
            blendshapes: Coefficients (B, 52).

        Returns:
            Their movement.
        """
        return split_numbers((blendshapes - self.mean_blendshapes) @ self.number_slopes.T + self.mean_numbers)

    def to_change(self, blendshapes: Tensor) -> FaceMovement:
        """Compute how a face changes when coefficients change.

        Args:
            blendshapes: Change of the coefficients (B, 52).

        Returns:
            The change of the movement.
        """
        return split_numbers(blendshapes @ self.number_slopes.T)

    def to_coefficients(self, attributes: FaceAttributes) -> Tensor:
        """Estimate the coefficients of faces.

        Args:
            attributes: Attributes of B faces.

        Returns:
            Coefficients (B, 52) in [0, 1].
        """
        change = (join_numbers(attributes) - self.mean_numbers) @ self.blendshape_slopes.T
        return (change + self.mean_blendshapes).clamp(0, 1)

    def tensors(self) -> dict[str, Tensor]:
        """The map's tensors by name, as a face model's weights file holds them."""
        return {PREFIX + name: tensor for name, tensor in vars(self).items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """Take the map from the tensors of a face model.

        Args:
            tensors: Tensors by name; others are ignored.

        Returns:
            The map.
        """
        return cls(**{n.removeprefix(PREFIX): tensor for n, tensor in tensors.items() if n.startswith(PREFIX)})


PREFIX = "map_"  # of the names of the tensors


def map_shapes(num_expression: int) -> dict[str, tuple[int, ...]]:
    """Give the shapes of a map's tensors.

    Args:
        num_expression: Number of expression coefficients.

    Returns:
        Shapes by name.
    """
    numbers = num_expression + NUM_OTHERS
    return {
        PREFIX + "number_slopes": (numbers, NUM_BLENDSHAPES),
        PREFIX + "blendshape_slopes": (NUM_BLENDSHAPES, numbers),
        PREFIX + "mean_numbers": (numbers,),
        PREFIX + "mean_blendshapes": (NUM_BLENDSHAPES,),
    }


def join_numbers(attributes: FaceAttributes) -> Tensor:
    """Join what the map knows of faces.

    Args:
        attributes: Attributes of B faces.

    Returns:
        Expression, jaw rotation and gaze (B, E + 7).
    """
    return torch.cat([attributes.expression, attributes.jaw, attributes.gaze], dim=1)


def split_numbers(numbers: Tensor) -> FaceMovement:
    """Invert `join_numbers`.

    Args:
        numbers: Expression, jaw rotation and gaze (B, E + 7).

    Returns:
        The movement.
    """
    return FaceMovement(*numbers.split([numbers.shape[1] - NUM_OTHERS, 3, 4], dim=1))


def learn_blendshape_map(performances: Sequence[Performance], upper: Tensor, *, ridge: float = RIDGE) -> BlendshapeMap:
    """Learn the map by ridge regression, both ways.

    Args:
        performances: What people do, each clip by itself.
        upper: What numbers do in the upper part of the face, as numbers: a matrix (E + 7, E + 7).
        ridge: Variance added to that of the coefficients, as a prior of small movements.

    Returns:
        The map.
    """
    numbers, blendshapes = _centre(performances)
    slopes = torch.zeros(numbers.shape[1], NUM_BLENDSHAPES)
    is_upper = torch.tensor([name.startswith(UPPER_BLENDSHAPES) for name in BLENDSHAPES])
    for part, kept in ((is_upper, upper), (~is_upper, torch.eye(len(upper)) - upper)):
        slopes[:, part] = kept @ _regress(blendshapes[:, part], numbers, ridge)
    deviations = numbers.square().mean(0).sqrt().clamp(min=LEAST_NUMBER)
    return BlendshapeMap(
        number_slopes=slopes,
        blendshape_slopes=_regress(numbers / deviations, blendshapes, NUMBER_RIDGE) / deviations,
        mean_numbers=torch.stack([p.numbers.mean(0) for p in performances]).mean(0),
        mean_blendshapes=torch.stack([p.blendshapes.mean(0) for p in performances]).mean(0),
    )


@dataclass(frozen=True)
class ExplainedBlendshapes:
    """Shares of variance that the map explains on held-out people, in differences from each clip's mean.

    Attributes:
        expression: Of the landmarks' displacement by the expression, by the coefficients.
        jaw: Of the jaw's rotation by the coefficients.
        gaze: Of the gaze by the coefficients.
        coefficients: Of each coefficient by the numbers; None for one that the people do not use.
    """

    expression: float
    jaw: float
    gaze: float
    coefficients: dict[str, float | None]

    @property
    def mean(self) -> float:
        """Mean over the coefficients that are used."""
        shares = [share for share in self.coefficients.values() if share is not None]
        return sum(shares) / max(1, len(shares))

    def describe(self) -> dict[str, object]:
        """The shares as values that JSON holds."""
        coefficients = {n: None if share is None else round(share, 3) for n, share in self.coefficients.items()}
        return {n: round(v, 3) for n, v in asdict(self).items() if n != "coefficients"} | {"coefficients": coefficients}


def measure_explained_blendshapes(
    blendshape_map: BlendshapeMap, performances: Sequence[Performance], basis: Tensor
) -> ExplainedBlendshapes:
    """Measure the map on people from whom it was not learned.

    Args:
        blendshape_map: The map.
        performances: What each held-out person does.
        basis: Expression basis of the face model (E, 478, 3), whose vectors are orthogonal.

    Returns:
        The shares, 1 at best, below 0 where the mean explains more.
    """
    numbers, blendshapes = _centre(performances)
    left = split_numbers((numbers - blendshapes @ blendshape_map.number_slopes.T).square())
    whole = split_numbers(numbers.square())
    weights = (basis.flatten(1).square().sum(1), torch.ones(3), torch.ones(4))
    expression, jaw, gaze = (
        1 - float((a * weight).sum() / (b * weight).sum().clamp(min=1e-12))
        for a, b, weight in zip(left, whole, weights, strict=True)
    )
    rest = (blendshapes - numbers @ blendshape_map.blendshape_slopes.T).square().mean(0)
    variances = blendshapes.square().mean(0)
    shares = zip(BLENDSHAPES, (1 - rest / variances).tolist(), (variances > LEAST_VARIANCE).tolist(), strict=True)
    coefficients = {name: share if is_used else None for name, share, is_used in shares}
    return ExplainedBlendshapes(expression, jaw, gaze, coefficients)


def _centre(performances: Sequence[Performance]) -> tuple[Tensor, Tensor]:
    """Numbers (N, E + 7) and coefficients (N, 52) of all clips, less each clip's mean."""
    numbers = torch.cat([p.numbers - p.numbers.mean(0) for p in performances])
    blendshapes = torch.cat([p.blendshapes - p.blendshapes.mean(0) for p in performances])
    return numbers, blendshapes


def _regress(inputs: Tensor, targets: Tensor, ridge: float) -> Tensor:
    """Slopes (M, K) float32 of the ridge regression of targets (N, M) on inputs (N, K), both of zero mean."""
    inputs, targets = inputs.double(), targets.double()
    gram = inputs.T @ inputs / len(inputs) + ridge * torch.eye(inputs.shape[1], dtype=inputs.dtype)
    return torch.linalg.solve(gram, inputs.T @ targets / len(inputs)).T.float()
