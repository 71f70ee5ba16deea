"""The mesh that carries the source: the face's landmarks, and rings around them over hair, neck and background.

Rays continue the face's oval outwards. Up to the head's outline a ray moves with the skull; from there on its
motion decreases, down to zero at the border of the region that may move.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.face import topology
from fadm.media.crop import Square

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]

SAME_DIRECTION = 0.99  # cosine between a ray and the points that belong to it
HEAD_RINGS = (0.34, 0.67, 1.0)  # from the oval (0) to the head's outline (1)
FALLOFF_RINGS = (0.08, 0.16, 0.25, 0.36, 0.5, 0.7, 1.0)  # from the outline (0) to the border of the region (1)
# Distance over which motion falls to zero, around the head and down the neck, in face heights.
FALLOFF_ABOVE, FALLOFF_BELOW = 0.1, 0.5
FALLOFF_STRETCH = 0.8  # that distance over the head's shift, at least
HAIR_REACH = 0.75  # greatest height of the outline above the oval, in face heights
DEPTH_REACH = 0.5  # distance from the oval over which the head recedes to the plane of the ears, in face heights
EXPRESSION_REACH = 0.35  # distance from the oval over which the expression fades, in face heights


@dataclass(frozen=True)
class SourceMesh:
    """The mesh of a source: the 468 landmarks of the surface, then R vertices where the rays cross the rings.

    Attributes:
        vertices: All vertices (468 + R, 3), in the picture's pixels.
        triangles: Vertices of the triangles (F, 3).
        edges: Edges between two triangles (E, 4): their ends, then the third vertex of either triangle.
        extend: Matrix (R, 468) that extends the head's motion to the ring vertices.
        outside: Distance of the ring vertices from the head's outline (R,), in pixels, 0 within it.
        min_falloff: Smallest distance over which their motion may fall to zero (R,), in pixels.
        max_falloff: Largest such distance (R,), in pixels.
        oval: Landmark of the oval at which their ray starts (R,).
        expression_share: Share of that landmark's expression that moves them too (R,), in [0, 1].
        depth_offset: Distance by which they are drawn behind the head (R,), in pixels.
        reach: The smallest `max_falloff`.
    """

    vertices: Tensor
    triangles: IntArray
    edges: IntArray
    extend: Tensor
    outside: Tensor
    min_falloff: Tensor
    max_falloff: Tensor
    oval: IntArray
    expression_share: Tensor
    depth_offset: Tensor
    reach: float

    def move(self, landmarks: Tensor, carried: Tensor) -> Tensor:
        """Move all vertices.

        Args:
            landmarks: New landmarks (478, 3), in the picture's pixels.
            carried: The source's landmarks (478, 3) moved by the head's motion alone, without expression.

        Returns:
            The moved vertices (468 + R, 3).
        """
        surface = topology.NUM_SURFACE
        rings = self.vertices[surface:]
        rigid = self.extend @ carried[:surface]
        shift = (carried[:surface, :2] - self.vertices[:surface, :2]).mean(0).norm()
        falloff = torch.minimum(torch.maximum(self.min_falloff, FALLOFF_STRETCH * shift), self.max_falloff)
        share = 1 - (self.outside / falloff).clamp(0, 1)
        rigidity = share * share * (3 - 2 * share)
        expression = (landmarks - carried)[self.oval] * self.expression_share[:, None]
        moved = rings + rigidity[:, None] * (rigid - rings + expression)
        moved[:, 2] += self.depth_offset
        return torch.cat([landmarks[:surface], moved])


def build_source_mesh(landmarks: FloatArray, person: FloatArray, region: Square) -> SourceMesh:
    """Build the mesh of a source.

    Args:
        landmarks: Its landmarks (478, 3), in the picture's pixels.
        person: Probability of person (S, S) over the region.
        region: The window that may move.

    Returns:
        The mesh.
    """
    oval = landmarks[list(topology.FACE_OVAL)]
    center = oval[:, :2].mean(0)
    rays = oval[:, :2] - center
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    radius = _silhouette_radius(landmarks[: topology.NUM_SURFACE, :2] - center, rays)
    face_height = float(np.ptp(oval[:, 1]))
    hair = _hair_depth(center + rays * radius[:, None], rays, face_height, person, region)
    outline = radius + hair * _above(rays, landmarks) + 0.04 * face_height
    border = np.maximum(region.side / 2, outline * 1.15)

    distances = [radius + t * (outline - radius) for t in HEAD_RINGS]
    distances += [outline + t * (border - outline) for t in FALLOFF_RINGS]
    falloff = face_height * (FALLOFF_BELOW + _above(rays, landmarks) * (FALLOFF_ABOVE - FALLOFF_BELOW))
    offsets = [0.0] * len(HEAD_RINGS) + [t * face_height for t in FALLOFF_RINGS]
    depths = _ring_depths(landmarks, distances, radius, face_height)

    rings = [
        np.concatenate([center + rays * distance[:, None], depth[:, None]], 1)
        for distance, depth in zip(distances, depths, strict=True)
    ]
    expression = [np.clip(1 - (distance - radius) / (EXPRESSION_REACH * face_height), 0, 1) for distance in distances]
    vertices = np.concatenate([landmarks[: topology.NUM_SURFACE], *rings]).astype(np.float32)

    def per_ring(values: Sequence[FloatArray] | FloatArray) -> Tensor:
        return torch.from_numpy(np.broadcast_to(values, (len(rings), len(oval))).flatten().astype(np.float32))

    triangles = np.concatenate([topology.surface_triangles(), _ring_triangles(len(rings))])
    return SourceMesh(
        vertices=torch.from_numpy(vertices),
        triangles=triangles,
        edges=shared_edges(triangles),
        extend=torch.from_numpy(_extend_affinely(vertices[: topology.NUM_SURFACE], vertices[topology.NUM_SURFACE :])),
        outside=per_ring([np.maximum(distance - outline, 0) for distance in distances]),
        min_falloff=per_ring(falloff),
        max_falloff=per_ring(border - outline),
        oval=np.tile(np.array(topology.FACE_OVAL), len(rings)),
        expression_share=per_ring(expression),
        depth_offset=per_ring([np.full(len(oval), depth) for depth in offsets]),
        reach=float((border - outline).min()),
    )


def _ring_depths(
    landmarks: FloatArray, distances: Sequence[FloatArray], radius: FloatArray, face_height: float
) -> list[FloatArray]:
    """Depths (36,) of each ring: they recede to the plane of the ears; in it, the head's outline hardly turns."""
    oval = landmarks[list(topology.FACE_OVAL)]
    right, left = landmarks[topology.EAR_RIGHT], landmarks[topology.EAR_LEFT]
    ears = right[2] + (oval[:, 0] - right[0]) / (left[0] - right[0]) * (left[2] - right[2])
    back = np.maximum(oval[:, 2], ears)
    receded = [np.clip((distance - radius) / (DEPTH_REACH * face_height), 0, 1) for distance in distances]
    return [oval[:, 2] + share * (back - oval[:, 2]) for share in receded]


def _above(rays: FloatArray, landmarks: FloatArray) -> FloatArray:
    """Height of each ray's direction (36,): 0 for rays to the neck, 1 for rays above the ears."""
    up = landmarks[topology.FOREHEAD_TOP, :2] - landmarks[topology.CHIN, :2]
    return np.clip((rays @ up) / np.linalg.norm(up) / 0.6 + 0.5, 0, 1)


def _silhouette_radius(points: FloatArray, rays: FloatArray) -> FloatArray:
    """Distance (36,) of the outermost points (N, 2) near each ray; the oval of a turned face is not its outline."""
    distance = np.linalg.norm(points, axis=1)
    is_near = points @ rays.T > SAME_DIRECTION * distance[:, None]
    return np.where(is_near, distance[:, None], 0).max(0)


def _hair_depth(
    starts: FloatArray, rays: FloatArray, face_height: float, person: FloatArray, region: Square
) -> FloatArray:
    """Pixels (36,) along rays from points of the oval (36, 2) to where the person ends, smoothed around the head."""
    steps = np.linspace(0, HAIR_REACH * face_height, 48)
    points = starts[:, None] + rays[:, None] * steps[:, None]  # (36, 48, 2)
    cell = (points - [region.left, region.top]) * len(person) / region.side
    x, y = np.clip(cell, 0, len(person) - 1).astype(int).transpose(2, 0, 1)
    is_outside = person[y, x] < 0.5
    first = np.where(is_outside.any(1), is_outside.argmax(1), len(steps) - 1)
    return np.median([np.roll(steps[first], shift) for shift in (-2, -1, 0, 1, 2)], axis=0)


def _ring_triangles(num_rings: int) -> IntArray:
    """Triangles between the oval and the first ring, and from each ring to the next."""
    count = len(topology.FACE_OVAL)
    inner = np.array(topology.FACE_OVAL)
    triangles = []
    for ring in range(num_rings):
        outer = topology.NUM_SURFACE + ring * count + np.arange(count)
        following = np.roll(np.arange(count), -1)
        triangles.append(np.stack([inner, outer, outer[following]], 1))
        triangles.append(np.stack([inner, outer[following], inner[following]], 1))
        inner = outer
    return np.concatenate(triangles)


def shared_edges(triangles: IntArray) -> IntArray:
    """Edges between two triangles of (F, 3): both ends, then the third vertex of either (E, 4)."""
    corners = np.concatenate([triangles, np.roll(triangles, 1, axis=1), np.roll(triangles, 2, axis=1)])
    ends = np.sort(corners[:, :2], axis=1)
    order = np.lexsort(ends.T)
    ends, third = ends[order], corners[order, 2]
    first = np.flatnonzero((ends[1:] == ends[:-1]).all(1))
    return np.concatenate([ends[first], third[first, None], third[first + 1, None]], 1)


def _extend_affinely(points: FloatArray, others: FloatArray) -> FloatArray:
    """Matrix (R, N) from new places of points (N, 3) to those of others (R, 3) under the same affine map."""

    def homogeneous(p: FloatArray) -> FloatArray:
        return np.concatenate([p, np.ones((len(p), 1))], 1)

    return (homogeneous(others) @ np.linalg.pinv(homogeneous(points))).astype(np.float32)
