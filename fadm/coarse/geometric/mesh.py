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

HEAD_RINGS = (0.34, 0.67, 1.0)  # from the oval (0) to the head's outline (1)
FALLOFF_RINGS = (0.12, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0)  # from the outline (0) to where nothing moves (1)
HAIR_REACH = 0.75  # highest outline above the oval, in heights of the face
EXPRESSION_REACH = 0.35  # how far outside the oval an expression is still felt, in heights of the face


@dataclass(frozen=True)
class SourceMesh:
    """Vertices: 468 landmarks of the surface, then R on the rings, one a ray.

    vertices (468 + R, 3) in picture pixels; triangles (F, 3). For the ring vertices: extend (R, 468) carries the
    head's motion on to them; rigidity (R,) is the share of it that they make; oval (R,) the landmark at which
    their ray starts, and felt (R,) the share of its expression that they feel. reach: pixels between the head's
    outline and where nothing moves.
    """

    vertices: Tensor
    triangles: IntArray
    extend: Tensor
    rigidity: Tensor
    oval: IntArray
    felt: Tensor
    reach: float

    def move(self, landmarks: Tensor, carried: Tensor) -> Tensor:
        """New landmarks (478, 3), and the ones carried by the head's motion alone -> vertices (V, 3)."""
        surface = topology.NUM_SURFACE
        rings = self.vertices[surface:]
        rigid = self.extend @ carried[:surface]
        expression = (landmarks - carried)[self.oval] * self.felt[:, None]
        return torch.cat([landmarks[:surface], rings + self.rigidity[:, None] * (rigid - rings + expression)])


def build_source_mesh(landmarks: FloatArray, person: FloatArray, region: Square) -> SourceMesh:
    """Build the mesh of a source.

    landmarks (478, 3) in picture pixels; region: the part of the picture that may move; person (S, S)
    probability of person over the region.
    """
    oval = landmarks[list(topology.FACE_OVAL)]
    center = oval[:, :2].mean(0)
    rays = oval[:, :2] - center
    radius = np.linalg.norm(rays, axis=1)
    rays /= radius[:, None]
    face_height = float(np.ptp(oval[:, 1]))
    outline = _head_outline(center, rays, radius, face_height, _up(landmarks), person, region)
    border = np.maximum(region.side / 2, outline * 1.15)

    distances = [radius + t * (outline - radius) for t in HEAD_RINGS]
    distances += [outline + t * (border - outline) for t in FALLOFF_RINGS]
    follow = [1.0] * len(HEAD_RINGS) + [1 - t * t * (3 - 2 * t) for t in FALLOFF_RINGS]
    # The outline of the head lies in the plane of the ears, what is behind it further away still.
    ear_depth = float(landmarks[[topology.EAR_RIGHT, topology.EAR_LEFT], 2].mean())
    back = np.maximum(oval[:, 2], ear_depth)
    depths = [oval[:, 2] + t * (back - oval[:, 2]) for t in HEAD_RINGS]
    depths += [back + t * face_height for t in FALLOFF_RINGS]

    rings = [
        np.concatenate([center + rays * distance[:, None], depth[:, None]], 1)
        for distance, depth in zip(distances, depths, strict=True)
    ]
    felt = [np.clip(1 - (distance - radius) / (EXPRESSION_REACH * face_height), 0, 1) for distance in distances]
    vertices = np.concatenate([landmarks[: topology.NUM_SURFACE], *rings]).astype(np.float32)
    return SourceMesh(
        vertices=torch.from_numpy(vertices),
        triangles=np.concatenate([topology.surface_triangles(), _ring_triangles(len(rings))]),
        extend=torch.from_numpy(_extend_affinely(vertices[: topology.NUM_SURFACE], vertices[topology.NUM_SURFACE :])),
        rigidity=torch.from_numpy(np.repeat(follow, len(oval)).astype(np.float32)),
        oval=np.tile(np.array(topology.FACE_OVAL), len(rings)),
        felt=torch.from_numpy(np.concatenate(felt).astype(np.float32)),
        reach=float((border - outline).min()),
    )


def _up(landmarks: FloatArray) -> FloatArray:
    """Unit vector (2,) in the picture from the chin to the forehead."""
    axis = landmarks[topology.FOREHEAD_TOP, :2] - landmarks[topology.CHIN, :2]
    return axis / np.linalg.norm(axis)


def _head_outline(
    center: FloatArray,
    rays: FloatArray,
    radius: FloatArray,
    face_height: float,
    up: FloatArray,
    person: FloatArray,
    region: Square,
) -> FloatArray:
    """Distance (36,) from the centre at which each ray leaves the head.

    Above the ears that is where the person ends; below them, where neck and shoulders begin, the oval itself.
    """
    steps = np.linspace(0, HAIR_REACH * face_height, 48)
    points = center + rays[:, None] * (radius[:, None, None] + steps[:, None])  # (36, 48, 2)
    cell = (points - [region.left, region.top]) * len(person) / region.side
    x, y = np.clip(cell, 0, len(person) - 1).astype(int).transpose(2, 0, 1)
    is_outside = person[y, x] < 0.5
    first = np.where(is_outside.any(1), is_outside.argmax(1), len(steps) - 1)
    above = np.clip((rays @ up) / 0.6 + 0.5, 0, 1)  # 0 towards the neck, 1 above the ears
    hair = steps[first] * above
    around = np.stack([np.roll(hair, shift) for shift in (-2, -1, 0, 1, 2)])
    return radius + np.median(around, axis=0) + 0.04 * face_height


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
