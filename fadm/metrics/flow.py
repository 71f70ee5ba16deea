"""How the true video moves, for errors along its flow."""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from fadm.media.crop import to_pixels
from fadm.optional import require

NAME = "warp_error"
SHARE, ROOM = 0.01, 0.5  # Sundaram et al. 2010, eq. 5: what the way there and back may miss, in square pixels


def estimate_flow(video: Tensor) -> tuple[Tensor, Tensor]:
    """Flow of each frame to the next: video (T, 3, H, W) in [0, 1] -> flow (T - 1, 2, H, W), mask (T - 1, 1, H, W).

    In pixels, x before y, as `temporal.warp_error` takes it, by dense inverse search (Kroeger et al., arXiv 1603.03590)
    as OpenCV has it. mask: 1 where the flow of the next frame leads back (Sundaram et al., "Dense point trajectories by
    GPU-accelerated large displacement optical flow", 2010), 0 where a pixel is hidden. Raises PackageError without
    OpenCV.
    """
    cv2 = require("cv2", package="opencv-contrib-python", purpose=NAME, extra=None)
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    greys = [cv2.cvtColor(to_pixels(frame[None]), cv2.COLOR_RGB2GRAY) for frame in video]
    flows, masks = [], []
    for now, coming in pairwise(greys):
        there, back = search.calc(now, coming, None), search.calc(coming, now, None)
        y, x = np.indices(now.shape, dtype=np.float32)
        returned = cv2.remap(back, x + there[..., 0], y + there[..., 1], cv2.INTER_LINEAR)
        missed = np.square(there + returned).sum(axis=2)
        allowed = SHARE * (np.square(there).sum(axis=2) + np.square(returned).sum(axis=2)) + ROOM
        flows.append(torch.from_numpy(there).permute(2, 0, 1))
        masks.append(torch.from_numpy((missed < allowed).astype(np.float32))[None])
    height, width = video.shape[2:]
    empty = video.new_zeros(0, 2, height, width)
    return (torch.stack(flows), torch.stack(masks)) if flows else (empty, empty[:, :1])
