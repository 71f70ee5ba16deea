"""Errors of the face's landmarks.

The faces of a video are a tensor (T, 478, 3) of `fadm.face.tracker`'s landmarks in pixels, NaN in frames without a
face; their metrics are NaN too.
"""

from torch import Tensor

from fadm.face.topology import NUM_SURFACE, UPPER_LID_LEFT, UPPER_LID_RIGHT

REFERENCE_SIDE = 256
OUTER_EYE_CORNERS = (UPPER_LID_RIGHT[0], UPPER_LID_LEFT[0])


def axis_distance(a: Tensor, b: Tensor, side: int = REFERENCE_SIDE) -> Tensor:
    """Mean absolute difference in x and in y over all landmarks; the irises of our 478 do not count.

    Args:
        a: Landmarks (T, N, 2 or 3) in pixels.
        b: Landmarks of the same shape.
        side: Side of the landmarks' pictures, in pixels.

    Returns:
        Distances in x and y (T, 2), in pixels of a 256 px picture.
    """
    return (_surface(a) - _surface(b)).abs().mean(dim=1) * (REFERENCE_SIDE / side)


def average_keypoint_distance(a: Tensor, b: Tensor, side: int = REFERENCE_SIDE) -> Tensor:
    """AKD: mean absolute difference over landmarks and both axes.

    Siarohin et al., arXiv 2003.00196, section 4, as its scripts compute it: |dx| and |dy| averaged, not the Euclidean
    distance. They use the 68 landmarks of `fadm.networks.fan`; numbers on other landmarks compare only with each other.

    Args:
        a: Landmarks (T, N, 2 or 3) in pixels.
        b: Landmarks of the same shape.
        side: Side of the landmarks' pictures, in pixels.

    Returns:
        Distances (T,), in pixels of a 256 px picture.
    """
    return axis_distance(a, b, side).mean(dim=1)


def nme_interocular(landmarks: Tensor, reference: Tensor) -> Tensor:
    """Mean Euclidean distance over the distance of the reference's outer eye corners.

    The normalisation of the 300-W challenge (Sagonas et al., 2013), on the 468 landmarks of the surface.

    Args:
        landmarks: Landmarks (T, 478, 2 or 3) in pixels.
        reference: The reference's landmarks of the same shape.

    Returns:
        Normalised errors (T,).
    """
    right, left = (reference[:, corner, :2] for corner in OUTER_EYE_CORNERS)
    return _euclidean(landmarks, reference) / (right - left).norm(dim=1)


def nme_box(landmarks: Tensor, reference: Tensor) -> Tensor:
    """Mean Euclidean distance over sqrt(width height) of the box around the reference's surface.

    It stays meaningful in profile, where the eye corners come close (Bulat and Tzimiropoulos, arXiv 1703.07332).

    Args:
        landmarks: Landmarks (T, 478, 2 or 3) in pixels.
        reference: The reference's landmarks of the same shape.

    Returns:
        Normalised errors (T,).
    """
    surface = _surface(reference)
    extent = surface.amax(dim=1) - surface.amin(dim=1)
    return _euclidean(landmarks, reference) / extent.prod(dim=1).sqrt()


def _euclidean(a: Tensor, b: Tensor) -> Tensor:
    return (_surface(a) - _surface(b)).norm(dim=2).mean(dim=1)


def _surface(landmarks: Tensor) -> Tensor:
    return landmarks[:, :NUM_SURFACE, :2]
