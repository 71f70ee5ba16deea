"""From a moved mesh to a backward flow: the place in the source that each pixel of the result shows."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fadm.face.raster import interpolate, rasterize
from fadm.media.crop import Square

FloatArray = NDArray[np.float32]

# In the triangles of a SourceMesh: those of the skin, then the eyes, the mouth, and the rings around the face.
FIRST_EYE_TRIANGLE, FIRST_MOUTH_TRIANGLE, FIRST_RING_TRIANGLE = 852, 880, 898
STILL = 1e-3  # pixels below which a vertex does not move


@dataclass(frozen=True)
class MeshFlow:
    """A backward flow on a grid of G x G points.

    Attributes:
        displacement: Place in the source minus place in the result (G, G, 2), in the picture's pixels.
        triangle_index: Triangle of the mesh at each point (G, G), -1 where nothing moves.
        barycentric: Coordinates of each point within its triangle (G, G, 3).
    """

    displacement: FloatArray
    triangle_index: NDArray[np.int64]
    barycentric: FloatArray


def view_grid(view: Square, size: int) -> FloatArray:
    """Make the picture coordinates of a window's pixel centres.

    Args:
        view: The window.
        size: Pixels along each side.

    Returns:
        Coordinates x, y (size, size, 2).
    """
    axis = view.grid(size)
    return np.stack(np.meshgrid(axis + view.left, axis + view.top), -1)


def flow_of_mesh(
    vertices: FloatArray, moved: FloatArray, triangles: NDArray[np.int64], view: Square, still: FloatArray
) -> MeshFlow:
    """Draw the moved mesh and read off which place of the resting mesh each pixel shows.

    Args:
        vertices: The mesh at rest (V, 3), in the picture's pixels.
        moved: The moved mesh (V, 3).
        triangles: Vertices of the triangles (F, 3).
        view: The window that is rendered.
        still: The points' own places (G, G, 2), as `view_grid` gives them.

    Returns:
        The flow at these points.
    """
    size = len(still)
    corner = np.array([view.left, view.top, 0], np.float32)
    in_view = (moved - corner + 0.5) * np.float32(size / view.side) - 0.5
    is_moving = (np.abs(moved - vertices)[:, :2] > STILL).any(1)[triangles].any(1)
    is_moving[FIRST_EYE_TRIANGLE:FIRST_RING_TRIANGLE] = True  # eyeballs turn and teeth show behind resting skin
    moving = np.flatnonzero(is_moving)
    index, barycentric = rasterize(in_view, triangles[moving], size, size)
    place = interpolate(vertices[:, :2], triangles[moving], index, barycentric)
    displacement = (place - still) * (index >= 0)[..., None]
    return MeshFlow(displacement, np.append(moving, -1)[index], barycentric)


def fit_affine(points: FloatArray, target: FloatArray) -> FloatArray:
    """Fit an affine map of the picture by least squares.

    Args:
        points: Points (N, 2 or 3), of which x and y are used.
        target: Where they belong (N, 2 or 3).

    Returns:
        Matrix (3, 2): target ~ [points, 1] @ matrix.
    """
    ones = np.ones((len(points), 1), np.float32)
    return np.linalg.lstsq(np.concatenate([points[:, :2], ones], 1), target[:, :2], rcond=None)[0]


def apply_affine(points: FloatArray, matrix: FloatArray) -> FloatArray:
    """Map points (..., 2) by a matrix (3, 2)."""
    return (points @ matrix[:2] + matrix[2]).astype(np.float32)


def upsample(field: FloatArray, size: int) -> Tensor:
    """Upsample a field bilinearly from the grid to pixels.

    Args:
        field: Values on the grid (G, G, C).
        size: Pixels along each side.

    Returns:
        The field (1, C, size, size), float32.
    """
    field_tensor = torch.from_numpy(field.astype(np.float32)).permute(2, 0, 1)[None]
    return F.interpolate(field_tensor, size=(size, size), mode="bilinear", align_corners=False)


def sample(picture: Tensor, coordinates: Tensor) -> Tensor:
    """Sample a picture bilinearly; beyond its edges they are repeated.

    Args:
        picture: The picture (1, C, H, W).
        coordinates: Places x, y (1, H', W', 2), in the picture's pixels.

    Returns:
        The values (1, C, H', W').
    """
    height, width = picture.shape[-2:]
    size = coordinates.new_tensor([width, height])
    unit = (2 * coordinates + 1) / size - 1
    return F.grid_sample(picture, unit.to(picture.device), mode="bilinear", padding_mode="border", align_corners=False)
