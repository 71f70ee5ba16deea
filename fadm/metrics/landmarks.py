"""How far the face's landmarks are from where they should be, and how often there is no face at all.

A sequence of faces is a tensor (T, 478, 3) of `fadm.face.tracker`'s landmarks in pixels, NaN in the frames in which
no face was found; what is measured there is NaN too.
"""

from torch import Tensor

from fadm.face.topology import NUM_SURFACE, UPPER_LID_LEFT, UPPER_LID_RIGHT

REFERENCE_SIDE = 256
OUTER_EYE_CORNERS = (UPPER_LID_RIGHT[0], UPPER_LID_LEFT[0])


def missing_face_rate(landmarks: Tensor) -> float:
    """Share of the frames in which no face was found: (T, N, 2 or 3) -> [0, 1]; NaN for no frames."""
    return landmarks.isnan().any(dim=(1, 2)).float().mean().item()


def axis_distance(a: Tensor, b: Tensor, side: int = REFERENCE_SIDE) -> Tensor:
    """Mean absolute difference in x and in y: landmarks (T, N, 2 or 3) -> (T, 2), in pixels of a 256 px picture.

    side: of the pictures in whose pixels the landmarks are. Of ours the 468 of the surface count, not the irises.
    """
    return (_surface(a) - _surface(b)).abs().mean(dim=1) * (REFERENCE_SIDE / side)


def average_keypoint_distance(a: Tensor, b: Tensor, side: int = REFERENCE_SIDE) -> Tensor:
    """AKD: mean absolute difference over landmarks and both axes, arguments as `axis_distance` -> (T,).

    Siarohin et al., arXiv 2003.00196, section 4, as its scripts compute it: |dx| and |dy| averaged, not the Euclidean
    distance. Theirs are the 68 landmarks of `fadm.networks.fan`; on other landmarks numbers compare with each other.
    """
    return axis_distance(a, b, side).mean(dim=1)


def nme_interocular(landmarks: Tensor, reference: Tensor) -> Tensor:
    """Mean Euclidean distance over the distance of the reference's outer eye corners: (T, N, 2 or 3) -> (T,).

    The normalisation of the 300-W challenge (Sagonas et al., 2013), on the 468 landmarks of the surface.
    """
    right, left = (reference[:, corner, :2] for corner in OUTER_EYE_CORNERS)
    return _euclidean(landmarks, reference) / (right - left).norm(dim=1)


def nme_box(landmarks: Tensor, reference: Tensor) -> Tensor:
    """Mean Euclidean distance over sqrt(width height) of the box around the reference's surface -> (T,).

    It stays meaningful in profile, where the eyes' corners come close (Bulat and Tzimiropoulos, arXiv 1703.07332).
    """
    surface = _surface(reference)
    extent = surface.amax(dim=1) - surface.amin(dim=1)
    return _euclidean(landmarks, reference) / extent.prod(dim=1).sqrt()


def _euclidean(a: Tensor, b: Tensor) -> Tensor:
    return (_surface(a) - _surface(b)).norm(dim=2).mean(dim=1)


def _surface(landmarks: Tensor) -> Tensor:
    return landmarks[:, :NUM_SURFACE, :2]
