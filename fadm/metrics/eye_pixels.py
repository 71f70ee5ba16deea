"""Lid opening and iris position read from the pixels of enlarged eyes: landmarks only say where the corners are.

They check the numbers that come from the tracker's networks with something that is none. On tracked clips at 256 px
they correlate with the landmarks' measures by 0.90 (lid opening) and 0.79 (iris sideways); the gains against these are
0.75 and 0.68. The iris's height is hidden by the lids too often to be read so simply, and is left to the landmarks.
"""

import torch
from torch import Tensor

from fadm.metrics.alignment import warp_by_similarity
from fadm.metrics.following import eye_frames

EYE = 64  # pixels between the corners of an enlarged eye
WINDOW = (64, 96)  # height and width of the window around it
LEAST_EYE = 6.0  # pixels between the corners in the picture, below which nothing can be read
EDGE = 8  # pixels across which a side edge of the iris is looked for
STRONG_EDGE = 0.5  # of the skin's luminance: a row with such an edge counts fully
EDGE_COLUMNS, OPENING_ROWS = 0.25, (-0.36, 0.3)  # in eye widths from the middle of the corners
SKIN_COLUMNS, SKIN_ROWS = 0.4, (0.32, 0.48)  # the cheek below the lower lid
DARK = 0.8  # darkness that counts fully: one minus the luminance over the skin's
IRIS_ELLIPSE = (0.45, 0.12)  # half axes of where the iris's middle rows are looked for
LUMA = (0.299, 0.587, 0.114)


def measure_eye_pixels(picture: Tensor, landmarks: Tensor) -> Tensor:
    """Measure the eyes of pictures by their colours.

    Args:
        picture: Pictures (T, 3, H, W) in [0, 1].
        landmarks: Landmarks (T, 478, 2 or 3) in pixels, NaN without a face.

    Returns:
        Over the width of the eye (T, 4): height of the rows that show a side edge of the iris, and horizontal shift of
        the dark iris; each of the right eye, then of the left. NaN without a face or where an eye is too small.
    """
    widths = eye_frames(landmarks)[2]
    columns = []
    for eye in (0, 1):
        luma = (enlarge_eye(picture, landmarks, eye) * picture.new_tensor(LUMA)[:, None, None]).sum(dim=1)
        skin = luma.flatten(1)[:, _inside(SKIN_COLUMNS, SKIN_ROWS).flatten()].median(dim=1).values + 0.02
        relative = luma / skin[:, None, None]
        seen = widths[:, eye] >= LEAST_EYE  # NaN is not
        columns += [torch.where(seen, value, torch.nan) for value in (_opening(relative), _iris_shift(relative))]
    return torch.stack([columns[0], columns[2], columns[1], columns[3]], dim=1)


def enlarge_eye(picture: Tensor, landmarks: Tensor, eye: int) -> Tensor:
    """Cut out an eye, upright and so large that its corners are `EYE` pixels apart.

    Args:
        picture: Pictures (T, 3, H, W).
        landmarks: Landmarks (T, 478, 2 or 3) in pixels.
        eye: 0 for the right eye, 1 for the left.

    Returns:
        Windows (T, 3, 64, 96), with the middle of the corners in their centre.
    """
    origin, axes, width = (part[:, eye] for part in eye_frames(landmarks))
    matrix = axes.transpose(1, 2) * (width / EYE)[:, None, None]  # its columns lead along the corners and down
    center = matrix.new_tensor([(WINDOW[1] - 1) / 2, (WINDOW[0] - 1) / 2])
    return warp_by_similarity(picture, matrix, origin - matrix @ center, WINDOW)


def _opening(relative: Tensor) -> Tensor:
    """Sum the rows (T,) by their strongest step across the picture: of the iris's edges, which closed lids hide."""
    steps = (relative[:, :, EDGE:] - relative[:, :, :-EDGE]).abs()
    x, y = _grid()
    middle = x[0, EDGE // 2 : -(EDGE // 2)].abs() < EDGE_COLUMNS
    strength = (steps[:, :, middle].amax(dim=2) / STRONG_EDGE).clamp(max=1)
    rows = (y[:, 0] > OPENING_ROWS[0]) & (y[:, 0] < OPENING_ROWS[1])
    return strength[:, rows].sum(dim=1) / EYE


def _iris_shift(relative: Tensor) -> Tensor:
    """Centre of the darkness (T,) along the corners, by its square so that shadows count little."""
    x, y = _grid()
    inside = (x / IRIS_ELLIPSE[0]) ** 2 + (y / IRIS_ELLIPSE[1]) ** 2 <= 1
    weight = (((1 - relative) / DARK).clamp(0, 1) + 1e-4).square() * inside
    return (weight * x).sum(dim=(1, 2)) / weight.sum(dim=(1, 2))


def _grid() -> tuple[Tensor, Tensor]:
    """Places of the window's pixels in eye widths from its middle, x and y (64, 96)."""
    height, width = WINDOW
    y, x = torch.meshgrid(torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2, indexing="ij")
    return x / EYE, y / EYE


def _inside(half_width: float, rows: tuple[float, float]) -> Tensor:
    x, y = _grid()
    return (x.abs() < half_width) & (y > rows[0]) & (y < rows[1])
