"""The mesh that carries the source: the face's landmarks, rings around them over hair, neck and background.

The face's oval is continued outwards in rays. Up to the head's outline a ray moves with the skull; from there
on it follows less and less, until it stands still at the border of the region that may move.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.face import topology
from fadm.media.crop import Square

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

SAME_DIRECTION = 0.99  # cosine between a ray and the points that belong to it
HEAD_RINGS = (0.34, 0.67, 1.0)  # from the oval (0) to the head's outline (1)
FALLOFF_RINGS = (0.08, 0.16, 0.25, 0.36, 0.5, 0.7, 1.0)  # from the outline (0) to the border of the region (1)
BAND_ABOVE, BAND_BELOW = 0.1, 0.5  # over which the motion ends: around the head, down the neck; heights of the face
BAND_STRETCH = 0.8  # the band is at least so many times as long as the head's shift
HAIR_REACH = 0.75  # highest outline above the oval, in heights of the face
DEPTH_REACH = 0.5  # how far outside the oval the head has receded to the plane of the ears, in heights of the face
EXPRESSION_REACH = 0.35  # how far outside the oval an expression is still felt, in heights of the face


@dataclass(frozen=True)
class SourceMesh:
    """Vertices: 468 landmarks of the surface, then R on the rings, one a ray.

    vertices (468 + R, 3) in picture pixels; triangles (F, 3). For the ring vertices: extend (R, 468) carries the
    head's motion on to them; beyond (R,) pixels outside of the head's outline, band (R,) and room
    (R,) the fewest and the most over which that motion may end; oval (R,) the landmark at which their ray starts,
    and felt (R,) the share of its expression that they feel; behind (R,) how much further away than the head
    they are drawn. reach: the shortest room.
    """

    vertices: Tensor
    triangles: IntArray
    extend: Tensor
    beyond: Tensor
    band: Tensor
    room: Tensor
    oval: IntArray
    felt: Tensor
    behind: Tensor
    reach: float

    def move(self, landmarks: Tensor, carried: Tensor) -> Tensor:
        """New landmarks (478, 3), and the ones carried by the head's motion alone -> vertices (V, 3)."""
        surface = topology.NUM_SURFACE
        rings = self.vertices[surface:]
        rigid = self.extend @ carried[:surface]
        shift = (carried[:surface, :2] - self.vertices[:surface, :2]).mean(0).norm()
        band = torch.minimum(torch.maximum(self.band, BAND_STRETCH * shift), self.room)
        share = 1 - (self.beyond / band).clamp(0, 1)
        rigidity = share * share * (3 - 2 * share)
        expression = (landmarks - carried)[self.oval] * self.felt[:, None]
        moved = rings + rigidity[:, None] * (rigid - rings + expression)
        moved[:, 2] += self.behind
        return torch.cat([landmarks[:surface], moved])


def build_source_mesh(landmarks: FloatArray, person: FloatArray, region: Square) -> SourceMesh:
    """Build the mesh of a source.

    landmarks (478, 3) in picture pixels; region: the part of the picture that may move; person (S, S)
    probability of person over the region.
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
    band = face_height * (BAND_BELOW + _above(rays, landmarks) * (BAND_ABOVE - BAND_BELOW))
    # Depth falls off to the plane of the ears; the head's outline lies in it, and so it hardly turns.
    right, left = landmarks[topology.EAR_RIGHT], landmarks[topology.EAR_LEFT]
    ears = right[2] + (oval[:, 0] - right[0]) / (left[0] - right[0]) * (left[2] - right[2])
    back = np.maximum(oval[:, 2], ears)
    behind = [0.0] * len(HEAD_RINGS) + [t * face_height for t in FALLOFF_RINGS]
    receded = [np.clip((distance - radius) / (DEPTH_REACH * face_height), 0, 1) for distance in distances]
    depths = [oval[:, 2] + share * (back - oval[:, 2]) for share in receded]

    rings = [
        np.concatenate([center + rays * distance[:, None], depth[:, None]], 1)
        for distance, depth in zip(distances, depths, strict=True)
    ]
    felt = [np.clip(1 - (distance - radius) / (EXPRESSION_REACH * face_height), 0, 1) for distance in distances]
    vertices = np.concatenate([landmarks[: topology.NUM_SURFACE], *rings]).astype(np.float32)

    def per_ring(values: list[FloatArray] | FloatArray) -> Tensor:
        return torch.from_numpy(np.broadcast_to(values, (len(rings), len(oval))).flatten().astype(np.float32))

    return SourceMesh(
        vertices=torch.from_numpy(vertices),
        triangles=np.concatenate([topology.surface_triangles(), _ring_triangles(len(rings))]),
        extend=torch.from_numpy(_extend_affinely(vertices[: topology.NUM_SURFACE], vertices[topology.NUM_SURFACE :])),
        beyond=per_ring([np.maximum(distance - outline, 0) for distance in distances]),
        band=per_ring(band),
        room=per_ring(border - outline),
        oval=np.tile(np.array(topology.FACE_OVAL), len(rings)),
        felt=per_ring(felt),
        behind=per_ring([np.full(len(oval), depth) for depth in behind]),
        reach=float((border - outline).min()),
    )


def _above(rays: FloatArray, landmarks: FloatArray) -> FloatArray:
    """For each ray (36, 2) whether it leads to the neck (0) or above the ears (1)."""
    up = landmarks[topology.FOREHEAD_TOP, :2] - landmarks[topology.CHIN, :2]
    return np.clip((rays @ up) / np.linalg.norm(up) / 0.6 + 0.5, 0, 1)


def _silhouette_radius(points: FloatArray, rays: FloatArray) -> FloatArray:
    """Distance (36,) of the outermost points (N, 2) near each ray: of a turned face, the oval is not the outline."""
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


def _extend_affinely(points: FloatArray, others: FloatArray) -> FloatArray:
    """Matrix (R, N) that takes new places of points (N, 3) to those of others (R, 3) under the same affine map."""

    def homogeneous(p: FloatArray) -> FloatArray:
        return np.concatenate([p, np.ones((len(p), 1))], 1)

    return (homogeneous(others) @ np.linalg.pinv(homogeneous(points))).astype(np.float32)
