"""Contours: the lines along which a part of the moved mesh hides what lies behind it.

There the flow jumps. Its grid is too coarse to say where; the folded edges of the mesh do, to a part of a pixel.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.coarse.geometric.flow import MeshFlow, sample
from fadm.coarse.geometric.mesh import SourceMesh

FloatArray = NDArray[np.float32]

TEAR = 1.5  # grid steps by which neighbouring source places must differ beyond a rigid motion
LEAST_WEIGHT = 1e-3  # of a grid point, so that each side of a fold has some


@dataclass(frozen=True)
class Folds:
    """Edges of the moved mesh at which it folds.

    Attributes:
        start: One end of each edge (M, 2), in the picture's pixels.
        end: The other end (M, 2).
        inwards: Direction at a right angle to each edge to the side on which the mesh lies (M, 2), of any length.
    """

    start: FloatArray
    end: FloatArray
    inwards: FloatArray


def find_tears(displacement: FloatArray, cell: float) -> NDArray[np.bool_]:
    """Find where the flow jumps because one part of the face hides another.

    Args:
        displacement: Flow (G, G, 2) in pixels.
        cell: Pixels between grid points.

    Returns:
        Blocks of 2x2 grid points (G-1, G-1) between which the flow jumps.
    """
    high, low = (combine(displacement[1:], displacement[:-1]) for combine in (np.maximum, np.minimum))
    spread = np.maximum(high[:, 1:], high[:, :-1]) - np.minimum(low[:, 1:], low[:, :-1])
    return np.asarray((spread > TEAR * cell).any(-1))


def find_folds(moved: FloatArray, mesh: SourceMesh, field: MeshFlow, is_torn: NDArray[np.bool_]) -> Folds:
    """Find the edges near tears whose two triangles lie on the same side of them.

    Args:
        moved: The moved mesh (V, 3).
        mesh: The mesh at rest.
        field: The flow of the moved mesh on G x G points.
        is_torn: Blocks (G-1, G-1), as `find_tears` gives them.

    Returns:
        The folds.
    """
    seen = field.triangle_index[_corners(is_torn)]
    is_seen = np.zeros(len(moved), bool)
    is_seen[mesh.triangles[seen[seen >= 0]]] = True
    edges = mesh.edges[is_seen[mesh.edges[:, :2]].any(1)]
    start, end, third, fourth = moved[edges, :2].transpose(1, 0, 2)
    along = end - start
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    side, other_side = (((point - start) * across).sum(1) for point in (third, fourth))
    is_fold = side * other_side > 0
    inwards = across[is_fold] * np.sign(side[is_fold, None])
    return Folds(start[is_fold], end[is_fold], inwards)


def _corners(is_torn: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Grid points (G, G) of blocks (G-1, G-1)."""
    is_corner = np.zeros((len(is_torn) + 1,) * 2, bool)
    for y in (0, 1):
        for x in (0, 1):
            is_corner[y : y - 1 or None, x : x - 1 or None] |= is_torn
    return is_corner


def measure_depth(points: FloatArray, folds: Folds) -> FloatArray:
    """Measure how far points lie within the nearest fold.

    Args:
        points: Points (N, 2).
        folds: M folds, at least one.

    Returns:
        Distances (N,), negative outside.
    """
    along = folds.end - folds.start
    along_unit = along / (along * along).sum(1)[:, None]
    share = np.clip(points @ along_unit.T - (folds.start * along_unit).sum(1), 0, 1)  # (N, M)
    squared = (points[:, :1] - folds.start[:, 0] - share * along[:, 0]) ** 2
    squared += (points[:, 1:] - folds.start[:, 1] - share * along[:, 1]) ** 2
    nearest = squared.argmin(1)
    side = ((points - folds.start[nearest]) * folds.inwards[nearest]).sum(1)
    return np.copysign(np.sqrt(squared[np.arange(len(points)), nearest]), side)


def mend_tears(
    frame: Tensor,
    picture: Tensor,
    corner: tuple[int, int],
    still: FloatArray,
    cells: FloatArray,
    displacement: FloatArray,
    is_torn: NDArray[np.bool_],
    folds: Folds,
) -> None:
    """Where the flow jumps, mix the colours on both sides of the tear instead of the coordinates; in place.

    They are mixed by the shares of the pixel on either side of the fold; without one the tear is a soft step.

    Args:
        frame: The warped frame (1, C, S, S), which is changed.
        picture: The source (1, C, H, W).
        corner: Place x, y of its first pixel.
        still: The pixels' own places (S, S, 2).
        cells: The grid points' own places (G, G, 2).
        displacement: Flow (G, G, 2) in pixels.
        is_torn: Blocks (G-1, G-1), as `find_tears` gives them.
        folds: The folds near the tears.
    """
    size, grid = len(still), len(displacement)
    place = (np.arange(size) + 0.5) * grid / size - 0.5
    block = np.clip(np.floor(place).astype(int), 0, grid - 2)
    share = np.clip(place - block, 0, 1).astype(np.float32)
    rows, columns = np.nonzero(is_torn[block[:, None], block])
    if not len(rows):
        return
    pixels, down, right = still[rows, columns], share[rows], share[columns]
    weights = np.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right])
    points = [(block[rows] + i // 2, block[columns] + i % 2) for i in range(4)]
    if len(folds.start):
        is_corner = _corners(is_torn)
        is_inside = np.zeros((grid, grid), bool)
        is_inside[is_corner] = measure_depth(cells[is_corner], folds) > 0
        pixel = float(still[0, 1, 0] - still[0, 0, 0])
        _split_weights(weights, np.stack([is_inside[point] for point in points]), pixels, pixel, folds)
    colours = torch.zeros(frame.shape[1], len(rows), device=frame.device)
    for point, weight in zip(points, weights, strict=True):
        seen = torch.from_numpy(pixels - np.array(corner, np.float32) + displacement[point])
        colours += torch.from_numpy(weight).to(frame.device) * sample(picture, seen[None, None])[0, :, 0]
    frame[0][:, rows, columns] = colours


def _split_weights(
    weights: FloatArray, is_inside: NDArray[np.bool_], pixels: FloatArray, pixel: float, folds: Folds
) -> None:
    """Give grid points within a fold the share of the pixel that lies within it; in place.

    weights, is_inside (4, N): of each pixel's grid points; pixels (N, 2): their places; pixel: their size.
    """
    is_mixed = is_inside.any(0) & ~is_inside.all(0)
    inside = np.clip(0.5 + measure_depth(pixels[is_mixed], folds) / pixel, 0, 1)
    near = weights[:, is_mixed] + LEAST_WEIGHT
    front, back = (near * side for side in (is_inside[:, is_mixed], ~is_inside[:, is_mixed]))
    weights[:, is_mixed] = inside * front / front.sum(0) + (1 - inside) * back / back.sum(0)
