"""Rasterization of triangles with a depth buffer in numpy: a few thousand triangles take milliseconds.

Each triangle is cut into rows of pixels; of the triangles that cover a pixel the nearest one is kept (Catmull,
"A subdivision algorithm for computer display of curved surfaces", 1974).
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


def rasterize(vertices: FloatArray, triangles: IntArray, height: int, width: int) -> tuple[IntArray, FloatArray]:
    """Find for each pixel the nearest triangle that covers its centre.

    Args:
        vertices: Vertices (V, 3) in pixels, orthographic: x right, y down, smaller z is nearer. Pixel centres lie
            at whole numbers.
        triangles: Indices (F, 3) into the vertices, in either orientation.
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.

    Returns:
        The index of the triangle (height, width), -1 where there is none, and the barycentric weights of its
        vertices (height, width, 3), which sum to 1, or are 0 where there is no triangle.
    """
    corners = vertices.astype(np.float64)[triangles]  # (F, 3, 3)
    row_triangle, row_y, row_left, row_right = _cut_into_rows(corners[..., :2], height, width)
    row, step = _expand(row_right - row_left + 1)  # one entry for each fragment: a pixel of a triangle
    x, owner = row_left[row] + step, row_triangle[row]
    pixel = (row_y * width)[row] + x

    planes = _barycentric_planes(corners[..., :2])  # (F, 3, 3)
    slope, y_slope, offset = np.einsum("fkc,fk->cf", planes, corners[..., 2])
    row_depth = y_slope[row_triangle] * row_y + offset[row_triangle]
    nearest = _find_nearest(pixel, slope[owner] * x + row_depth[row], height * width)

    covered = np.flatnonzero(nearest >= 0)
    seen = owner[nearest[covered]]
    triangle_index = np.full(height * width, -1, np.int64)
    triangle_index[covered] = seen
    covered_y, covered_x = np.divmod(covered, width)
    barycentric = np.zeros((height * width, 3), np.float32)
    for k, plane in enumerate(planes.transpose(1, 2, 0)):  # one number of all pixels at a time: much the fastest
        barycentric[covered, k] = plane[0][seen] * covered_x + plane[1][seen] * covered_y + plane[2][seen]
    return triangle_index.reshape(height, width), barycentric.reshape(height, width, 3)


def _find_nearest(pixel: IntArray, depth: NDArray[np.float64], num_pixels: int) -> IntArray:
    """Find for each pixel the fragment of the smallest depth, -1 for none; pixel, depth (N,) of the fragments.

    One fragment of each pixel is stored first; nearer fragments replace it until none is left.
    """
    nearest = np.full(num_pixels, -1, np.int64)
    nearest[pixel] = np.arange(len(pixel))
    others = np.flatnonzero(nearest[pixel] != np.arange(len(pixel)))
    while len(others):
        others = others[depth[others] < depth[nearest[pixel[others]]]]
        nearest[pixel[others]] = others
    return nearest


def interpolate(
    values: FloatArray, triangles: IntArray, triangle_index: IntArray, barycentric: FloatArray
) -> FloatArray:
    """Interpolate values of the vertices over the pixels of a `rasterize` result.

    Args:
        values: Values of the vertices (V, C).
        triangles: Indices (F, 3) into the vertices.
        triangle_index: Triangle of each pixel (H, W), -1 for none.
        barycentric: Weights of its vertices (H, W, 3).

    Returns:
        The values (H, W, C), 0 where there is no triangle.
    """
    covered = np.flatnonzero(triangle_index >= 0)
    seen = triangle_index.ravel()[covered]
    weights = barycentric.reshape(-1, 3)[covered].T
    corners = values[triangles].astype(np.float32)  # (F, 3, C)
    result = np.zeros((triangle_index.size, values.shape[1]), np.float32)
    for c in range(values.shape[1]):
        result[covered, c] = sum(weight * corners[:, k, c][seen] for k, weight in enumerate(weights))
    return result.reshape(*triangle_index.shape, -1)


def _expand(lengths: IntArray) -> tuple[IntArray, IntArray]:
    """Lengths (3, 1, 2) -> owners (0, 0, 0, 1, 2, 2) and steps within each owner (0, 1, 2, 0, 0, 1)."""
    owner = np.repeat(np.arange(len(lengths)), lengths)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return owner, step


def _cut_into_rows(
    corners: NDArray[np.float64], height: int, width: int
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Corners (F, 3, 2) -> one entry for each row of pixels that a triangle covers: triangle, y, first and last x."""
    top = np.clip(np.ceil(corners[..., 1].min(1)), 0, height).astype(np.int64)
    bottom = np.clip(np.floor(corners[..., 1].max(1)), -1, height - 1).astype(np.int64)
    triangle, step = _expand(np.maximum(bottom - top + 1, 0))
    y = top[triangle] + step

    start, end = corners[triangle], np.roll(corners, -1, axis=1)[triangle]  # edges (R, 3, 2)
    rise = end[..., 1] - start[..., 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (y[:, None] - start[..., 1]) / rise
        crossing = start[..., 0] + share * (end[..., 0] - start[..., 0])
    is_crossed = (share >= 0) & (share <= 1)  # level edges divide by zero: never crossed
    left = np.where(is_crossed, crossing, np.inf).min(1)
    right = np.where(is_crossed, crossing, -np.inf).max(1)
    first = np.ceil(np.clip(left, 0, width)).astype(np.int64)
    last = np.floor(np.clip(right, -1, width - 1)).astype(np.int64)
    is_covered = last >= first
    return triangle[is_covered], y[is_covered], first[is_covered], last[is_covered]


def _barycentric_planes(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners (F, 3, 2) -> (F, 3, 3): the weight of corner k at (x, y) is p[k, 0] x + p[k, 1] y + p[k, 2].

    The weight is the share of the triangle's area opposite the corner; a flat triangle has equal weights.
    """
    after, before = np.roll(corners, -1, axis=1), np.roll(corners, 1, axis=1)
    planes = np.stack(
        [
            after[..., 1] - before[..., 1],
            before[..., 0] - after[..., 0],
            after[..., 0] * before[..., 1] - after[..., 1] * before[..., 0],
        ],
        axis=-1,
    )
    double_area = planes[..., 2].sum(1)
    is_flat = np.abs(double_area) < 1e-9
    planes /= np.where(is_flat, 1, double_area)[:, None, None]
    planes[is_flat] = [0, 0, 1 / 3]
    return planes
