"""Openings of the eyes in faces without pose: the mean height between the lids, their ends left out."""

from torch import Tensor

from fadm.face import topology

# Inner landmarks of the upper and the lower lids, of the right and the left eye.
UPPER = [list(upper[1:-1]) for upper, _, _ in topology.EYES]
LOWER = [list(lower[1:-1]) for _, lower, _ in topology.EYES]


def measure_openings(faces: Tensor) -> Tensor:
    """Measure the openings of both eyes.

    Args:
        faces: Faces without pose (B, 478, 3), or displacements of them, in model units.

    Returns:
        Openings of the right and the left eye, or their changes (B, 2), in model units.
    """
    return (faces[:, LOWER, 1] - faces[:, UPPER, 1]).mean(2)


def widen_eyes(faces: Tensor, neutral: Tensor, change: Tensor) -> Tensor:
    """Move the upper lids, each landmark by its share of the neutral face's opening.

    Args:
        faces: Faces without pose (B, 478, 3), in model units.
        neutral: Neutral faces (B, 478, 3) or one (1, 478, 3).
        change: Change of the openings of the right and the left eye (B, 2), in model units.

    Returns:
        The faces with these openings.
    """
    faces, shares = faces.clone(), change / measure_openings(neutral)
    faces[:, UPPER] += shares[:, :, None, None] * (neutral[:, UPPER] - neutral[:, LOWER])
    return faces
