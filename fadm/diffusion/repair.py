"""How a network repairs a picture: it moves pixels, takes others from a second picture, and changes what is left.

Moving and taking keep detail that a network of few channels could not draw itself.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def count_channels(patch: int) -> int:
    """Channels of an answer for pictures in patches: 3 colours and a mask for each pixel, one shift (x, y)."""
    return 4 * patch**2 + 2


def repair(answer: Tensor, picture: Tensor, other: Tensor, patch: int, scale: float) -> Tensor:
    """The change of a picture that a network's answer means, times `scale`: (B, 3, H, W); all zeros change nothing.

    answer (B, 4 patch^2 + 2, H / patch, W / patch): colours, times `scale`; mask, the share of each pixel that
    comes from `other`; shift of the place that is looked at, in patches. picture, other (B, 3, H, W).
    """
    colors, mask, shift = answer.float().split((3 * patch**2, patch**2, 2), dim=1)
    mask = F.pixel_shuffle(mask, patch)  # (B, 1, H, W)
    moved = move_pixels(picture, shift)
    change = moved - picture + mask * (other - moved)
    return F.pixel_shuffle(colors, patch) + scale * change


def move_pixels(picture: Tensor, shift: Tensor) -> Tensor:
    """picture (B, 3, H, W) looked at elsewhere: shift (B, 2, h, w) right and down, in units of W / w and H / h."""
    B, _, height, width = picture.shape
    rows, columns = shift.shape[2:]
    identity = torch.eye(2, 3, device=picture.device).expand(B, -1, -1)
    with torch.autocast(picture.device.type, enabled=False):  # places need more digits than bfloat16 has
        grid = F.affine_grid(identity, [B, 1, height, width], align_corners=False)  # (B, H, W, 2) in -1..1
    offset = F.interpolate(shift, size=(height, width), mode="bilinear", align_corners=False)
    offset = offset.permute(0, 2, 3, 1) * shift.new_tensor([2 / columns, 2 / rows])
    return F.grid_sample(picture, grid + offset, mode="bilinear", padding_mode="border", align_corners=False)
