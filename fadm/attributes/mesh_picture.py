"""Drawing a mesh over a picture, and its wrinkles flat: normals, spherical harmonics light, depth buffer.

Light: Ramamoorthi and Hanrahan, "An efficient representation for irradiance environment maps", SIGGRAPH 2001.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fadm.face.raster import rasterize

# Each basis function's own factor times that of a matt surface for its degree (2 pi / 3 and pi / 4). DECA's
# light was trained with a constant term that lacks the matt surface's factor pi.
_CONSTANT = 0.5 / math.sqrt(math.pi)
_LINEAR = 2 * math.pi / 3 * math.sqrt(3 / (4 * math.pi))
_PRODUCT = math.pi / 4 * 0.5 * math.sqrt(15 / math.pi)
_DIFFERENCE = math.pi / 4 * 0.25 * math.sqrt(15 / math.pi)
_ZONAL = math.pi / 4 * 0.25 * math.sqrt(5 / math.pi)
ALBEDO = 0.7
TEXEL = 0.0015  # metres that a step in FLAME's 256x256 UV map spans on the face, roughly
EXAGGERATION = 3.0  # of the heights in a relief; wrinkles of a millimetre hardly show otherwise
RELIEF_LAMP = (-0.5, 0.6, 0.7)  # where the light comes from: x right, y up, z towards the viewer


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Compute the normals of a mesh, weighting each triangle by its area.

    Args:
        vertices: Vertices (V, 3).
        triangles: Vertex indices (F, 3) int64.

    Returns:
        Unit normals (V, 3).
    """
    a, b, c = vertices[triangles].unbind(1)
    face_normals = torch.linalg.cross(b - a, c - a)
    normals = torch.zeros_like(vertices)
    for corner in triangles.unbind(1):
        normals = normals.index_add(0, corner, face_normals)
    return F.normalize(normals, dim=1)


def spherical_harmonics(normals: Tensor) -> Tensor:
    """Evaluate the second-order basis of the light that falls on a matt surface.

    Args:
        normals: Unit normals (..., 3).

    Returns:
        Basis (..., 9) in the order of DECA's light: 1, x, y, z, xy, xz, yz, x^2 - y^2, 3 z^2 - 1.
    """
    x, y, z = normals.unbind(-1)
    return torch.stack(
        [
            torch.full_like(x, _CONSTANT),
            _LINEAR * x,
            _LINEAR * y,
            _LINEAR * z,
            _PRODUCT * x * y,
            _PRODUCT * x * z,
            _PRODUCT * y * z,
            _DIFFERENCE * (x**2 - y**2),
            _ZONAL * (3 * z**2 - 1),
        ],
        dim=-1,
    )


def draw_mesh(frame: Tensor, vertices: Tensor, projected: Tensor, triangles: Tensor, light: Tensor) -> Tensor:
    """Draw a grey, shaded mesh over a picture.

    Args:
        frame: The picture (3, H, W) in [0, 1].
        vertices: Vertices (V, 3) in the model's frame, for the normals.
        projected: Vertices (V, 3) in the picture: x right and y down in [-1, 1], smaller z is nearer.
        triangles: Vertex indices (F, 3) int64.
        light: Spherical harmonics coefficients per colour (9, 3).

    Returns:
        The picture (3, H, W) in [0, 1].
    """
    _, height, width = frame.shape
    size = torch.tensor([width, height]).to(projected)
    # -1 and 1 are the outer edges of the outermost pixels, whose centres lie at 0 and size - 1.
    pixels = torch.cat([((projected[:, :2] + 1) * size - 1) / 2, projected[:, 2:] * size.max() / 2], dim=1)
    index, barycentric = rasterize(pixels.detach().cpu().numpy(), triangles.cpu().numpy(), height, width)
    triangle_index, weights = (
        torch.from_numpy(index).to(frame.device),
        torch.from_numpy(barycentric).to(frame),
    )

    corner_normals = vertex_normals(vertices, triangles)[triangles[triangle_index]]  # (H, W, 3, 3)
    normals = F.normalize(torch.einsum("hwk,hwkc->hwc", weights, corner_normals), dim=-1)
    shaded = (ALBEDO * spherical_harmonics(normals) @ light).clamp(0, 1).permute(2, 0, 1)
    return torch.where(triangle_index >= 0, shaded, frame)


def draw_relief(displacements: Tensor) -> Tensor:
    """Draw displacements as a grey relief: the skin laid flat, lit from the upper left, its heights exaggerated.

    Args:
        displacements: Heights above the skin (H, W) in UV space, in metres.

    Returns:
        The picture (3, H, W) in [0, 1].
    """
    down, right = torch.gradient(EXAGGERATION * displacements, spacing=TEXEL)
    normals = F.normalize(torch.stack([-right, down, torch.ones_like(right)], dim=-1), dim=-1)  # y is up
    lamp = F.normalize(torch.tensor(RELIEF_LAMP).to(displacements), dim=0)
    return (normals @ lamp).clamp(0, 1).expand(3, -1, -1)
