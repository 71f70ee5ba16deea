"""How steady a video is: flicker where nothing moves, jitter of the landmarks, error against a flow.

A video is (T, 3, H, W) in [0, 1], T frames of one shot in order.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from fadm.face.topology import NUM_SURFACE, STABLE
from fadm.metrics.alignment import fetch_similarity, fit_similarity
from fadm.metrics.landmarks import REFERENCE_SIDE
from fadm.metrics.pixel import l1, masked_mean


def flicker(video: Tensor, mask: Tensor) -> Tensor:
    """Mean |x_t - 2 x_(t+1) + x_(t+2)| within a mask: video (T, 3, H, W) -> (T - 2,), in units of the range [0, 1].

    mask (1 or T, 1, H, W) in [0, 1]: what stands still, for instance the background; of three frames' masks the
    smallest counts. A steady change, as of the light, costs nothing, only what goes back and forth does.
    """
    mask = mask.expand(len(video), -1, -1, -1)
    shared = torch.minimum(torch.minimum(mask[:-2], mask[1:-1]), mask[2:])
    return l1(video[:-2] + video[2:], 2 * video[1:-1], shared)


def still_mask(video: Tensor, tolerance: float = 0.02) -> Tensor:
    """Where a reference hardly changes: video (T, 3, H, W) -> (1, 1, H, W) of 0 and 1.

    tolerance: largest difference in time that any colour may have, in units of the range [0, 1]. Take it from the
    driving or true video, never from the rendered one.
    """
    extent = (video.amax(dim=0) - video.amin(dim=0)).amax(dim=0)
    return (extent <= tolerance).to(video)[None, None]


def stabilise(video: Tensor, landmarks: Tensor) -> Tensor:
    """Move each frame so that the head rests as in the first face: video (T, 3, H, W), landmarks (T, 478, 2 or 3).

    By the similarity in the picture's plane (scale, rotation, shift) that fits the landmarks which move with the skull
    best; the edges repeat. Returns (T, 3, H, W), on whose face `flicker` can be measured; NaN where the landmarks are.
    """
    seen = landmarks.isfinite().all(dim=2).all(dim=1).to(video.device)
    if not seen.any():
        return torch.full_like(video, torch.nan)
    points = landmarks[:, list(STABLE), :2].to(video)
    found = fit_similarity(points[seen][:1].expand_as(points), points)
    moved = fetch_similarity(video, *found, (video.shape[2], video.shape[3]))
    return moved.where(seen[:, None, None, None], torch.nan)


def landmark_jitter(landmarks: Tensor, side: int = REFERENCE_SIDE) -> Tensor:
    """Mean length of the landmarks' second difference in time: (T, 478, 2 or 3) -> (T - 2,), pixels at 256 px.

    side: of the pictures in whose pixels the landmarks are. The 468 landmarks of the surface count; NaN next to frames
    without a face. An honest motion has some too: compare with the driver's, or take `jitter_against`.
    """
    points = landmarks[:, :NUM_SURFACE, :2] * (REFERENCE_SIDE / side)
    return (points[:-2] - 2 * points[1:-1] + points[2:]).norm(dim=2).mean(dim=1)


def jitter_against(landmarks: Tensor, driver: Tensor, side: int = REFERENCE_SIDE) -> Tensor:
    """Jitter of the difference to a driver whose motion is meant to be followed exactly; as `landmark_jitter`."""
    return landmark_jitter(landmarks - driver, side)


def warp_error(video: Tensor, flow: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared difference of each frame and the next one carried back: video (T, 3, H, W) -> (T - 1,).

    Lai et al., "Learning Blind Video Temporal Consistency", arXiv 1808.00449, section 4.1. flow (T - 1, 2, H, W):
    where each pixel of frame t lies in frame t + 1, as a shift in x and y in pixels; the source's or driver's true
    flow, never one estimated from the rendered video. mask (T - 1, 1, H, W): 0 where a pixel is hidden or leaves the
    picture; pixels that the flow carries out of the picture never count. NaN where nothing counts.
    """
    height, width = flow.shape[2:]
    y, x = torch.meshgrid(*(torch.arange(n).to(flow) for n in (height, width)), indexing="ij")
    places = flow + torch.stack([x, y])  # (T - 1, 2, H, W)
    size = torch.tensor([width, height]).to(flow)[:, None, None]
    inside = ((places >= 0) & (places <= size - 1)).all(dim=1, keepdim=True).to(video)
    grid = ((2 * places + 1) / size - 1).permute(0, 2, 3, 1).to(video)
    carried = F.grid_sample(video[1:], grid, mode="bilinear", padding_mode="border", align_corners=False)
    weight = inside if mask is None else inside * mask
    return masked_mean((video[:-1] - carried).square(), weight)
