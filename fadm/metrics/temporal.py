"""Temporal stability of a video: flicker of still places, jitter of the landmarks, warping error along a flow.

A video is (T, 3, H, W) in [0, 1], T frames of one shot in order.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from fadm.face.topology import NUM_SURFACE, STABLE
from fadm.metrics.alignment import fit_similarity, warp_by_similarity
from fadm.metrics.landmarks import REFERENCE_SIDE
from fadm.metrics.pixel import l1, masked_mean


def flicker(video: Tensor, mask: Tensor) -> Tensor:
    """Mean |x_t - 2 x_(t+1) + x_(t+2)| within a mask.

    A steady change, such as that of the light, costs nothing; only a change that reverses does.

    Args:
        video: Frames (T, 3, H, W) in [0, 1].
        mask: Weights (1 or T, 1, H, W) in [0, 1] of what stands still, for instance the background; of three frames'
            masks the smallest counts.

    Returns:
        Flicker (T - 2,), in units of the range [0, 1].
    """
    mask = mask.expand(len(video), -1, -1, -1)
    shared = torch.minimum(torch.minimum(mask[:-2], mask[1:-1]), mask[2:])
    return l1(video[:-2] + video[2:], 2 * video[1:-1], shared)


def still_mask(video: Tensor, tolerance: float = 0.02) -> Tensor:
    """Find the pixels at which a reference hardly changes.

    Args:
        video: The driving or true video (T, 3, H, W) in [0, 1], never the rendered one.
        tolerance: Largest difference in time that any colour may have, in units of the range [0, 1].

    Returns:
        A binary mask (1, 1, H, W).
    """
    extent = (video.amax(dim=0) - video.amin(dim=0)).amax(dim=0)
    return (extent <= tolerance).to(video)[None, None]


def stabilise(video: Tensor, landmarks: Tensor) -> Tensor:
    """Move each frame so that the head rests as in the first face; then `flicker` can be measured on the face.

    The motion is the similarity in the picture's plane (scale, rotation, shift) that best fits the landmarks that move
    with the skull. The edges repeat.

    Args:
        video: Frames (T, 3, H, W) in [0, 1].
        landmarks: Landmarks (T, 478, 2 or 3) in pixels, NaN without a face.

    Returns:
        Stabilised frames (T, 3, H, W), NaN without a face.
    """
    seen = landmarks.isfinite().all(dim=2).all(dim=1).to(video.device)
    if not seen.any():
        return torch.full_like(video, torch.nan)
    points = landmarks[:, list(STABLE), :2].to(video)
    found = fit_similarity(points[seen][:1].expand_as(points), points)
    moved = warp_by_similarity(video, *found, (video.shape[2], video.shape[3]))
    return moved.where(seen[:, None, None, None], torch.nan)


def landmark_jitter(landmarks: Tensor, side: int = REFERENCE_SIDE) -> Tensor:
    """Mean length of the second difference in time of the 468 landmarks of the surface.

    A smooth motion has some too: compare with the driver's, or use `jitter_against`.

    Args:
        landmarks: Landmarks (T, 478, 2 or 3) in pixels, NaN without a face.
        side: Side of the landmarks' pictures, in pixels.

    Returns:
        Jitter (T - 2,), in pixels of a 256 px picture; NaN next to frames without a face.
    """
    points = landmarks[:, :NUM_SURFACE, :2] * (REFERENCE_SIDE / side)
    return (points[:-2] - 2 * points[1:-1] + points[2:]).norm(dim=2).mean(dim=1)


def jitter_against(landmarks: Tensor, driver: Tensor, side: int = REFERENCE_SIDE) -> Tensor:
    """Jitter of the difference to a driver, for a motion that should follow it exactly.

    Args:
        landmarks: Landmarks (T, 478, 2 or 3) in pixels, NaN without a face.
        driver: The driver's landmarks of the same shape.
        side: Side of the landmarks' pictures, in pixels.

    Returns:
        Jitter (T - 2,), in pixels of a 256 px picture; NaN next to frames without a face.
    """
    return landmark_jitter(landmarks - driver, side)


def warp_error(video: Tensor, flow: Tensor, mask: Tensor | None = None) -> Tensor:
    """Warping error: mean squared difference of each frame and the next one warped back.

    Lai et al., "Learning Blind Video Temporal Consistency", arXiv 1808.00449, section 4.1. Pixels that the flow moves
    out of the picture never count.

    Args:
        video: Frames (T, 3, H, W) in [0, 1].
        flow: Shift in x and y (T - 1, 2, H, W), in pixels, from each pixel of frame t to its place in frame t + 1;
            of the source's or driver's true video, never of the rendered one.
        mask: Weights (T - 1, 1, H, W), 0 where a pixel is hidden or leaves the picture; None for equal weights.

    Returns:
        Errors (T - 1,), NaN where no pixel counts.
    """
    height, width = flow.shape[2:]
    y, x = torch.meshgrid(*(torch.arange(n).to(flow) for n in (height, width)), indexing="ij")
    places = flow + torch.stack([x, y])  # (T - 1, 2, H, W)
    size = torch.tensor([width, height]).to(flow)[:, None, None]
    inside = ((places >= 0) & (places <= size - 1)).all(dim=1, keepdim=True).to(video)
    grid = ((2 * places + 1) / size - 1).permute(0, 2, 3, 1).to(video)
    warped = F.grid_sample(video[1:], grid, mode="bilinear", padding_mode="border", align_corners=False)
    weight = inside if mask is None else inside * mask
    return masked_mean((video[:-1] - warped).square(), weight)
