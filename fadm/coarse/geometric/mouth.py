"""How far a source's mouth opens after a driver whose mouth is open or closed to another extent at rest."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fadm.attributes.directions import FULL_JAW
from fadm.attributes.landmark_model import LandmarkModel
from fadm.attributes.rotation import axis_angle_to_matrix
from fadm.blendshapes import BLENDSHAPES

JAW_OPEN = BLENDSHAPES.index("jawOpen")
HARDNESS = 3  # of the greater of two openings, as a power mean; without end it is the maximum itself


def carry_opening(own: Tensor, driver: Tensor, rest: Tensor) -> Tensor:
    """Compute the coefficient `jawOpen` of a source after a driver.

    An open mouth opens hardly wider than the driver's: from its own opening it approaches the driver's. One that is
    less open than the driver's at rest closes by the driver's share, not before the driver's mouth does.

    Args:
        own: The source's own coefficient, at least 0.
        driver: The driver's coefficients, at least 0.
        rest: The driver's coefficient in its anchor frame, at least 0, at which the source's is `own`.

    Returns:
        Coefficients, at least 0.
    """
    widened = (own**HARDNESS + (driver**HARDNESS - rest**HARDNESS).clamp(min=0)) ** (1 / HARDNESS)
    narrowed = own * driver / rest.clamp(min=1e-6)
    opened = torch.where((driver > rest) & (own > rest), widened, own + driver - rest)
    return torch.where((driver < rest) & (own < rest), narrowed, opened)


def jaw_displacement(model: LandmarkModel) -> Tensor:
    """Compute how the landmarks move where `jawOpen` grows by 1.

    Args:
        model: The face model.

    Returns:
        Displacements (1, 478, 3), in model units.
    """
    arm = model.mean - model.jaw_pivot
    turn = axis_angle_to_matrix(F.pad(torch.full((1, 1), FULL_JAW), (0, 2)))
    return model.jaw_weights[:, None] * (arm @ turn.transpose(1, 2) - arm)
