"""From a moved mesh to a backward flow: for each pixel of the result, where in the source it comes from."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fadm.face.raster import interpolate, rasterize
from fadm.media.crop import Square

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class MeshFlow:
    """displacement (G, G, 2): source minus result, in picture pixels; triangle_index (G, G), -1 off the mesh."""

    displacement: FloatArray
    triangle_index: NDArray[np.int64]


def view_grid(view: Square, size: int) -> FloatArray:
    """Picture coordinates (size, size, 2) of a view's pixel centres."""
    axis = view.grid(size)
    return np.stack(np.meshgrid(axis + view.left, axis + view.top), -1)


def flow_of_mesh(
    vertices: FloatArray, moved: FloatArray, triangles: NDArray[np.int64], view: Square, size: int
) -> MeshFlow:
    """Draw the moved mesh (V, 3) into the view and read off where each pixel lies on the mesh at rest (V, 3)."""
    scale = size / view.side
    corner = np.array([view.left, view.top, 0], np.float32)
    in_view = (moved - corner + 0.5) * np.float32(scale) - 0.5
    triangle_index, barycentric = rasterize(in_view, triangles, size, size)
    flow = interpolate(vertices[:, :2], triangles, triangle_index, barycentric)
    displacement = np.where(triangle_index[..., None] < 0, 0, flow - view_grid(view, size))
    return MeshFlow(displacement.astype(np.float32), triangle_index)


def upsample(field: FloatArray, size: int) -> Tensor:
    """A field on the grid (G, G, C) -> (1, C, size, size)."""
    field_tensor = torch.from_numpy(field.astype(np.float32)).permute(2, 0, 1)[None]
    return F.interpolate(field_tensor, size=(size, size), mode="bilinear", align_corners=False)


def sample(picture: Tensor, coordinates: Tensor) -> Tensor:
    """Read a picture (1, C, H, W) at pixel coordinates (1, H', W', 2), the edge repeated -> (1, C, H', W')."""
    height, width = picture.shape[-2:]
    size = coordinates.new_tensor([width, height])
    unit = (2 * coordinates + 1) / size - 1
    return F.grid_sample(picture, unit.to(picture.device), mode="bilinear", padding_mode="border", align_corners=False)
