"""From keypoints to a dense backward flow and an occlusion map.

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

    Attributes:
        deformation: Backward flow (B, [D,] H, W, 2 or 3): the place in the source that each pixel shows, in [-1, 1].
        occlusion_map: Visibility (B, 1, H, W) in [0, 1], 0 where the source does not show the place; or None.
        mask: Weights (B, K + 1, [D,] H, W) of the background (first) and of each keypoint in the flow.
    """

    deformation: Tensor
    occlusion_map: Tensor | None
    mask: Tensor


def resize_as(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """Resize features, (bi|tri)linear with align_corners=False; features of the right size are returned as they are.

    Args:
        x: Features (B, C, [D,] H, W).
        size: New size `([D,] H', W')`.

    Returns:
        Features (B, C, *size).
    """
    if tuple(x.shape[2:]) == size:
        return x
    return F.interpolate(x, size=size, mode=RESIZE_MODE[len(size)], align_corners=False)


def warp(features: Tensor, deformation: Tensor) -> Tensor:
    """Warp features by a backward flow.

    The flow is first resized to the features' size. Bilinear, zeros outside, align_corners=False: the flow's
    coordinates are made with aligned corners, and the released weights were trained with this half-pixel
    difference.

    Args:
        features: Features (B or 1, C, [D,] H, W).
        deformation: Backward flow (B, [d,] h, w, 2 or 3) in [-1, 1]. Its type is the one of the computation.

    Returns:
        Warped features (B, C, [D,] H, W) in the features' type and memory layout.
    """
    flow = resize_as(deformation.movedim(-1, 1), tuple(features.shape[2:])).movedim(1, -1)
    features_in = features.to(flow.dtype).expand(flow.shape[0], *features.shape[1:])
    warped = F.grid_sample(features_in, flow, mode="bilinear", padding_mode="zeros", align_corners=False)
    layout = CHANNELS_LAST[features.dim() - 2]
    if not features.is_contiguous(memory_format=layout):
        layout = torch.contiguous_format
    return warped.to(features.dtype, memory_format=layout)  # convolutions would convert a mixture at every step


def occlude(features: Tensor, occlusion_map: Tensor | None) -> Tensor:
    """Multiply features by an occlusion map, resized to them.

    Args:
        features: Features (B, C, H, W).
        occlusion_map: Visibility (B, 1, h, w) in [0, 1]; None leaves the features unchanged.

    Returns:
        Features (B, C, H, W).
    """
    if occlusion_map is None:
        return features
    return features * resize_as(occlusion_map, tuple(features.shape[2:])).to(features.dtype)


def approximate_motions(source: Keypoints, driving: Keypoints, size: tuple[int, ...]) -> Tensor:
    """Approximate the flow around each keypoint to first order (FOMM eq. 4).

    T_k(z) = p_source + J_source J_driving^-1 (z - p_driving). Without jacobians the product is the identity.

    Args:
        source: Keypoints of the source, K of them.
        driving: Keypoints of the driving frames.
        size: Shape of the flow, `([D,] H, W)`.

    Returns:
        Flows (B, K + 1, *size, 2 or 3) in [-1, 1]; the first is the background's, which does not move.
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
    """Predict one flow as a weighted mean of the motions around the keypoints (FOMM section 3.2).

    The network sees the source warped by each of the K + 1 motions, beside the change of the keypoint's Gaussian.

    Args:
        dims: 2 for pictures, 3 for volumes.
        num_keypoints: Number of keypoints K.
        reduce: Module that makes the smaller features that are warped.
        hourglass: Module from the K + 1 stacked warps and Gaussians to `hourglass_channels` features.
        hourglass_channels: Channels of the hourglass's output.
        depth: Planes of a volume, which the occlusion map folds into channels.
        has_occlusion_map: Whether an occlusion map is predicted.
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
        """Predict the motion from the source to the driving frames.

        Args:
            features: The source's picture or volume (B or 1, C, [D,] H, W).
            source: Keypoints of the source.
            driving: Keypoints of the driving frames.

        Returns:
            The motion at the size that `reduce` gives.
        """
        reduced = self.reduce(features)
        size = tuple(reduced.shape[2:])
        motions = approximate_motions(source, driving, size)  # (B, K + 1, [D,] H, W, 2 or 3)
        warped = _warp_by_each(reduced, motions)  # (B, K + 1, C, [D,] H, W)
        gaussians = draw_gaussians(driving.positions, size, KEYPOINT_VARIANCE)
        gaussians = gaussians - draw_gaussians(source.positions, size, KEYPOINT_VARIANCE)
        gaussians = torch.cat([torch.zeros_like(gaussians[:, :1]), gaussians], dim=1)  # (B, K + 1, [D,] H, W)
        inputs = torch.cat([gaussians.unsqueeze(2).to(warped.dtype), warped], dim=2)
        prediction = self.hourglass(inputs.flatten(1, 2))
        mask = torch.softmax(self.mask(prediction).float(), dim=1)
        deformation = (mask.unsqueeze(-1) * motions).sum(dim=1)
        if self.occlusion is None:
            return Motion(deformation, None, mask)
        planes = prediction.flatten(1, -3)  # (B, C * D, H, W)
        return Motion(deformation, torch.sigmoid(self.occlusion(planes)), mask)


def _warp_by_each(reduced: Tensor, motions: Tensor) -> Tensor:
    """Warp features (B or 1, C, *size) by each of the motions (B, K + 1, *size, D) -> (B, K + 1, C, *size)."""
    B, num_motions = motions.shape[:2]
    copies = reduced.unsqueeze(1).expand(B, num_motions, *reduced.shape[1:]).flatten(0, 1)
    return warp(copies, motions.flatten(0, 1)).unflatten(0, (B, num_motions))
