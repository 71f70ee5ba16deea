"""The side of the face that a turned source hides: the mirror image of the other side replaces it."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.coarse.geometric.flow import MeshFlow, sample, upsample
from fadm.coarse.geometric.mesh import SourceMesh
from fadm.face import topology
from fadm.face.raster import interpolate

FloatArray = NDArray[np.float32]

# How far the surface faces the camera: the cosine between its normal and the line of sight.
WELL_SEEN, HARDLY_SEEN = 0.4, 0.15  # above the first the source's own texture is used, below the second it is not
BETTER_SEEN = 0.25  # by how much more the other side must face the camera
TURNED_IN = 0.15  # turn towards the camera at which the mirror image is fully shown


@dataclass(frozen=True)
class HiddenSide:
    """The hidden landmarks of a source and their mirror partners.

    Attributes:
        facing: Cosine between each landmark's normal and the line of sight (468,).
        share: Weight of the mirror image at each landmark (468,), in [0, 1].
        places: Places of the landmarks' mirror partners (468, 2), in the picture's pixels.
        tone: Ratio of this side's light to the other's (1, 3, 1, 1).
    """

    facing: FloatArray
    share: FloatArray
    places: FloatArray
    tone: Tensor


def measure_facing(surface: FloatArray) -> FloatArray:
    """Measure how far each landmark of the surface faces the camera.

    Args:
        surface: Landmarks of the surface (468, 3).

    Returns:
        Cosine between normal and line of sight (468,): 1 facing the camera, below 0 hidden.
    """
    triangles = topology.skin_triangles()
    a, b, c = surface[triangles].transpose(1, 0, 2)
    normals = np.zeros((topology.NUM_SURFACE, 3), np.float32)
    np.add.at(normals, triangles, np.cross(b - a, c - a)[:, None])
    return -normals[:, 2] / np.linalg.norm(normals, axis=1).clip(1e-9)


def find_hidden_side(picture: Tensor, landmarks: FloatArray) -> HiddenSide | None:
    """Find what a source hides.

    Args:
        picture: The source (1, 3, H, W).
        landmarks: Its landmarks (478, 3), in its pixels.

    Returns:
        The hidden side, or None if nothing is hidden that its mirror image could replace.
    """
    surface = landmarks[: topology.NUM_SURFACE]
    partners = topology.mirror_partners()[: topology.NUM_SURFACE]
    facing = measure_facing(surface)
    share = np.clip((WELL_SEEN - facing) / (WELL_SEEN - HARDLY_SEEN), 0, 1)
    share *= np.clip((facing[partners] - facing) / BETTER_SEEN, 0, 1)
    if share.max() < 0.5:
        return None
    seen = (facing > WELL_SEEN) & (facing < facing[partners])  # of the same side, to compare the light
    places = surface[partners, :2]
    own, other = (sample(picture, torch.from_numpy(p[seen])[None, None]).mean(3) for p in (surface[:, :2], places))
    tone = (own / other.clamp(min=1e-2)).clamp(0.6, 1.6)[..., None] if seen.any() else torch.ones(1, 3, 1, 1)
    return HiddenSide(facing, share.astype(np.float32), places, tone)


def show_hidden_side(
    hidden: HiddenSide,
    frame: Tensor,
    picture: Tensor,
    field: MeshFlow,
    mesh: SourceMesh,
    moved: FloatArray,
    cells: FloatArray,
    pixels: FloatArray,
) -> Tensor:
    """Blend the mirror image into a frame where hidden places come into view.

    Args:
        hidden: The hidden side of the source.
        frame: The warped frame (1, 3, S, S).
        picture: The source (1, 3, H, W).
        field: The flow, as drawn from the moved mesh.
        mesh: The mesh of the source.
        moved: The moved mesh (V, 3).
        cells: Places of the flow's points (G, G, 2).
        pixels: Places of the frame's pixels (S, S, 2).

    Returns:
        The frame (1, 3, S, S).
    """
    surface = topology.NUM_SURFACE
    turned = (measure_facing(moved[:surface]) - hidden.facing) / TURNED_IN
    values = np.zeros((len(moved), 3), np.float32)
    values[:surface, :2] = hidden.places
    values[surface:, :2] = hidden.places[mesh.oval]  # outside of the oval the mirror image ends
    values[:surface, 2] = hidden.share * np.clip(turned, 0, 1)
    if values[:, 2].max() < 0.01:
        return frame
    seen = interpolate(values, mesh.triangles, field.triangle_index, field.barycentric)
    is_covered = (field.triangle_index >= 0)[..., None]
    fields = upsample(np.concatenate([(seen[..., :2] - cells) * is_covered, seen[..., 2:]], -1), frame.shape[-1])
    place = torch.from_numpy(pixels)[None] + fields[:, :2].permute(0, 2, 3, 1)
    mirrored = (sample(picture, place) * hidden.tone.to(picture.device)).clamp(0, 1)
    return torch.lerp(frame, mirrored, fields[:, 2:].to(frame.device))
