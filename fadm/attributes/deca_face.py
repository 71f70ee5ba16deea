"""A face as DECA reads it from a picture, and as FLAME's mesh where FLAME is imported too."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from fadm.attributes.deca import DECA, DECACode
from fadm.attributes.flame import FLAME, FLAMELandmarks, project
from fadm.attributes.loading import load_deca, load_flame, load_flame_landmarks
from fadm.media.crop import Square
from fadm.weights.registry import describe_weights, named_files

MESH_WEIGHTS = {"deca": "DECA", "flame": "FLAME", "flame_landmarks": "FLAME's landmarks"}


@dataclass(frozen=True)
class HeadNetworks:
    """What reads a face and what turns the reading into a mesh.

    Attributes:
        deca: Reads the parameters from a crop of the face.
        flame: Makes the mesh, None where it is not imported.
        landmarks: Places 68 landmarks on the mesh, None where they are not imported.
    """

    deca: DECA
    flame: FLAME | None = None
    landmarks: FLAMELandmarks | None = None


@dataclass(frozen=True)
class HeadMesh:
    """FLAME's mesh of one face.

    Attributes:
        vertices: Vertices (V, 3) in metres: x to the head's left, y up, z out of the face.
        projected: Vertices (V, 3) in the crop: x right and y down in [-1, 1], z away from the viewer.
        triangles: Vertex indices (F, 3) int64.
        landmarks: The 68 landmarks in the crop (68, 3), as `projected`, the jaw line along the outline that is seen;
            None without FLAME's landmark embedding.
        skin_landmarks: The 68 landmarks (68, 3) in metres, each at its own point of the skin; None likewise.
    """

    vertices: Tensor
    projected: Tensor
    triangles: Tensor
    landmarks: Tensor | None
    skin_landmarks: Tensor | None


@dataclass(frozen=True)
class DecaFace:
    """DECA's reading of one face.

    Attributes:
        window: The crop that DECA saw, in pixels of the picture.
        code: The parameters, of a batch of one.
        mesh: The face as a mesh, None without FLAME.
        displacements: Wrinkles in UV space (1, 256, 256), metres along the normals; None without the detail branch.
    """

    window: Square
    code: DECACode
    mesh: HeadMesh | None
    displacements: Tensor | None

    @property
    def landmarks(self) -> Tensor | None:
        """The mesh's 68 landmarks in pixels of the picture (68, 2), None where there are none."""
        if self.mesh is None or self.mesh.landmarks is None:
            return None
        corner = torch.tensor([self.window.left, self.window.top])
        return corner + (self.mesh.landmarks[:, :2] + 1) / 2 * self.window.side - 0.5


def load_head_networks(device: torch.device, *, commercial: bool = False) -> HeadNetworks | None:
    """Load those of DECA, FLAME and FLAME's landmarks that are imported.

    Args:
        device: Where they compute.
        commercial: Leave out those whose terms forbid commercial use or are unknown.

    Returns:
        The networks, None without DECA.

    Raises:
        WeightsError: A file is damaged or of another kind than its name says.
    """
    known = named_files().keys() - (refused_weights() if commercial else ())
    if "deca" not in known:
        return None
    flame = load_flame().to(device) if "flame" in known else None
    landmarks = load_flame_landmarks().to(device) if "flame_landmarks" in known else None
    return HeadNetworks(load_deca().to(device), flame, landmarks)


def refused_weights() -> list[str]:
    """List those of the imported weights whose terms forbid commercial use or are unknown, as names.

    Returns:
        Some of the keys of `MESH_WEIGHTS`.

    Raises:
        WeightsError: A file is damaged.
    """
    imported = [name for name in MESH_WEIGHTS if name in named_files()]
    return [name for name in imported if not describe_weights(name).allows_commercial]


@torch.inference_mode()
def read_deca_face(networks: HeadNetworks, crop: Tensor, window: Square) -> DecaFace:
    """Read one face.

    Args:
        networks: DECA, and FLAME if it is imported.
        crop: The crop (1, 3, H, W) in [0, 1], on the networks' device.
        window: Where the crop lies in its picture.

    Returns:
        The reading, on the CPU.
    """
    code = networks.deca(crop)
    displacements = networks.deca.displace(crop, code)[0].cpu() if networks.deca.config.detail else None
    mesh = None if networks.flame is None else _make_mesh(networks.flame, networks.landmarks, code)
    on_cpu = DECACode(**{field.name: getattr(code, field.name).cpu() for field in fields(DECACode)})
    return DecaFace(window, on_cpu, mesh, displacements)


def _make_mesh(flame: FLAME, embedding: FLAMELandmarks | None, code: DECACode) -> HeadMesh:
    """The mesh that DECA's parameters stand for (arXiv 2012.04012, section 3)."""
    vertices = flame(code.shape, code.expression, code.pose)
    projected, landmarks, skin_landmarks = project(vertices, code.camera)[0].cpu(), None, None
    if embedding is not None:
        landmarks = project(embedding.locate_visible(vertices, flame.triangles, code.pose), code.camera)[0].cpu()
        skin_landmarks = embedding.locate_fixed(vertices, flame.triangles)[0].cpu()
    return HeadMesh(vertices[0].cpu(), projected, flame.triangles.cpu(), landmarks, skin_landmarks)
