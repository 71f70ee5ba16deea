"""Person masks by MediaPipe's selfie segmentation."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fadm.face.litert import ModelPerThread

SIDE = 256  # pixels of the network's window, into which a picture is squeezed whatever its shape

_network = ModelPerThread("selfie_segmenter")


def segment_people(pictures: Tensor) -> Tensor:
    """Segment the person in each of several pictures.

    Args:
        pictures: Pictures (B, 3, H, W) in [0, 1] with one person each.

    Returns:
        Probability of the person at each pixel (B, 1, H, W) in [0, 1].
    """
    if pictures.shape[1] != 3:
        raise ValueError(f"expected three-channel RGB pictures, got the shape {tuple(pictures.shape)}")
    windows = F.interpolate(pictures, (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True)
    windows = windows.permute(0, 2, 3, 1).contiguous().cpu()
    masks = torch.cat([torch.from_numpy(_network(window.numpy())[0]) for window in windows.split(1)])  # (B, S, S, 1)
    masks = masks.permute(0, 3, 1, 2)
    size = pictures.shape[2:]
    return F.interpolate(masks, size, mode="bilinear", align_corners=False, antialias=True).to(pictures.device)
