"""From key points to a dense backward flow and an occlusion map.

FOMM sections 3.1 and 3.2, Face vid2vid section 3.3.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fadm.coarse.keypoints import Keypoints, coordinate_grid, draw_gaussians, multiply
from fadm.coarse.layers import CONVOLUTION

KEYPOINT_VARIANCE = 0.01
RESIZE_MODE = {2: "bilinear", 3: "trilinear"}
CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


@dataclass(frozen=True)
class Motion:
    """Dense motion of a batch.

    deformation (B, [D,] H, W, 2 or 3): where in the source each pixel comes from, -1..1; occlusion_map
    (B, 1, H, W) in 0..1, 0 where the source cannot show it, or None; mask (B, K + 1, [D,] H, W): the share
    of the background (first) and of each key point in the flow.
    """

    deformation: Tensor
    occlusion_map: Tensor | None
    mask: Tensor


def resize_as(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """Resize (B, C, [D,] H, W) to `size`, (bi|tri)linear with align_corners=False; unchanged if it fits."""
    if tuple(x.shape[2:]) == size:
        return x
    return F.interpolate(x, size=size, mode=RESIZE_MODE[len(size)], align_corners=False)


def warp(features: Tensor, deformation: Tensor) -> Tensor:
    """Sample `features (B or 1, C, [D,] H, W)` where `deformation (B, [d,] h, w, 2 or 3)` points.

    The flow is first resized to the features' size. Bilinear, zeros outside, align_corners=False: the flow's
    coordinates are made with aligned corners, and the released weights were trained with this half-pixel
    difference. Computed in the flow's dtype, returned in the features' dtype and memory layout.
    """
    flow = resize_as(deformation.movedim(-1, 1), tuple(features.shape[2:])).movedim(1, -1)
    features_in = features.to(flow.dtype).expand(flow.shape[0], *features.shape[1:])
    warped = F.grid_sample(features_in, flow, mode="bilinear", padding_mode="zeros", align_corners=False)
    layout = CHANNELS_LAST[features.dim() - 2]
    if not features.is_contiguous(memory_format=layout):
        layout = torch.contiguous_format
    return warped.to(features.dtype, memory_format=layout)  # convolutions would convert a mixture at every step


def occlude(features: Tensor, occlusion_map: Tensor | None) -> Tensor:
    """Multiply `features (B, C, H, W)` by the map, resized to them; unchanged without a map."""
    if occlusion_map is None:
        return features
    return features * resize_as(occlusion_map, tuple(features.shape[2:])).to(features.dtype)


def approximate_motions(source: Keypoints, driving: Keypoints, size: tuple[int, ...]) -> Tensor:
    """Flow around each key point to first order, the background's zero motion first (FOMM eq. 4).

    T_k(z) = p_source + J_source J_driving^-1 (z - p_driving), the Jacobians taken as equal where there are
    none. Two sets of K points -> (B, K + 1, *size, D) in -1..1.
    """
    positions = driving.positions
    K, D = positions.shape[1:]
    grid = coordinate_grid(size, device=positions.device, dtype=positions.dtype).view(1, 1, -1, D)
    offsets = grid - positions.unsqueeze(2)  # (B, K, pixels, D)
    if source.jacobians is not None and driving.jacobians is not None:
        jacobians = torch.linalg.solve(driving.jacobians, source.jacobians, left=False)
        offsets = multiply(offsets, jacobians.transpose(-1, -2))
    motions = source.positions.unsqueeze(2) + offsets
    background = grid.expand(motions.shape[0], 1, -1, D)
    return torch.cat([background, motions], dim=1).view(-1, K + 1, *size, D)


class DenseMotion(nn.Module):
    """Mix the motions around the key points into one flow, by what each would make of the source.

    `reduce` makes the small array that the motions are tried on; `hourglass` reads the K + 1 trials, each
    beside the change of its key point's Gaussian, and returns `hourglass_channels`. `depth` is the number of
    a volume's depth planes, which the occlusion map folds into channels.
    """

    def __init__(
        self,
        dims: int,
        num_keypoints: int,
        reduce: nn.Module,
        hourglass: nn.Module,
        hourglass_channels: int,
        *,
        depth: int = 1,
        has_occlusion_map: bool = True,
    ) -> None:
        super().__init__()
        self.reduce = reduce
        self.hourglass = hourglass
        self.mask = CONVOLUTION[dims](hourglass_channels, num_keypoints + 1, 7, padding=3)
        self.occlusion = nn.Conv2d(hourglass_channels * depth, 1, 7, padding=3) if has_occlusion_map else None

    def forward(self, features: Tensor, source: Keypoints, driving: Keypoints) -> Motion:
        """Source features (B or 1, C, [D,] H, W), key points of both -> Motion at the reduced size."""
        reduced = self.reduce(features)
        size = tuple(reduced.shape[2:])
        motions = approximate_motions(source, driving, size)  # (B, K + 1, [D,] H, W, 2 or 3)
        trials = self._try_motions(reduced, motions)
        gaussians = draw_gaussians(driving.positions, size, KEYPOINT_VARIANCE)
        gaussians = gaussians - draw_gaussians(source.positions, size, KEYPOINT_VARIANCE)
        gaussians = torch.cat([torch.zeros_like(gaussians[:, :1]), gaussians], dim=1)  # (B, K + 1, [D,] H, W)
        evidence = torch.cat([gaussians.unsqueeze(2).to(trials.dtype), trials], dim=2)
        prediction = self.hourglass(evidence.flatten(1, 2))
        mask = torch.softmax(self.mask(prediction).float(), dim=1)
        deformation = (mask.unsqueeze(-1) * motions).sum(dim=1)
        if self.occlusion is None:
            return Motion(deformation, None, mask)
        planes = prediction.flatten(1, -3)  # (B, C * D, H, W)
        return Motion(deformation, torch.sigmoid(self.occlusion(planes)), mask)

    @staticmethod
    def _try_motions(reduced: Tensor, motions: Tensor) -> Tensor:
        """(B or 1, C, *size) warped by each of (B, K + 1, *size, D) -> (B, K + 1, C, *size)."""
        B, num_motions = motions.shape[:2]
        copies = reduced.unsqueeze(1).expand(B, num_motions, *reduced.shape[1:]).flatten(0, 1)
        return warp(copies, motions.flatten(0, 1)).unflatten(0, (B, num_motions))
