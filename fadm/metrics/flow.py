"""Optical flow of the true video, for errors along it."""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from fadm.media.crop import to_pixels
from fadm.optional import require

NAME = "warp_error"
# Sundaram et al. 2010, eq. 5: largest squared difference of forward and backward flow, as a share and in pixels.
LARGEST_SHARE, LARGEST_OFFSET = 0.01, 0.5


def estimate_flow(video: Tensor) -> tuple[Tensor, Tensor]:
    """Estimate the flow of each frame to the next by OpenCV's dense inverse search (Kroeger et al., arXiv 1603.03590).

    A pixel counts as visible where the flow of the next frame leads back (Sundaram et al., "Dense point trajectories by
    GPU-accelerated large displacement optical flow", 2010).

    Args:
        video: Frames (T, 3, H, W) in [0, 1].

    Returns:
        Flow (T - 1, 2, H, W) in pixels, x before y, and mask (T - 1, 1, H, W), 0 where a pixel gets hidden, else 1; as
        `temporal.warp_error` takes them.

    Raises:
        PackageError: OpenCV is missing.
    """
    cv2 = require("cv2", package="opencv-python-headless", purpose=NAME)
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    greys = [cv2.cvtColor(to_pixels(frame[None]), cv2.COLOR_RGB2GRAY) for frame in video]
    flows, masks = [], []
    for current, following in pairwise(greys):
        forward, backward = search.calc(current, following, None), search.calc(following, current, None)
        y, x = np.indices(current.shape, dtype=np.float32)
        returned = cv2.remap(backward, x + forward[..., 0], y + forward[..., 1], cv2.INTER_LINEAR)
        missed = np.square(forward + returned).sum(axis=2)
        allowed = LARGEST_SHARE * (np.square(forward).sum(axis=2) + np.square(returned).sum(axis=2)) + LARGEST_OFFSET
        flows.append(torch.from_numpy(forward).permute(2, 0, 1))
        masks.append(torch.from_numpy((missed < allowed).astype(np.float32))[None])
    height, width = video.shape[2:]
    empty = video.new_zeros(0, 2, height, width)
    return (torch.stack(flows), torch.stack(masks)) if flows else (empty, empty[:, :1])
