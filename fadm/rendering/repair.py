"""How a network repairs a picture: it moves pixels, takes others from a second picture, and changes what is left.

Moving and taking keep detail that a network of few channels could not draw itself, and, since they mean the same at
any resolution, detail that it never saw.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

CERTAINLY_MOVED = 0.25  # difference of a colour


@dataclass(frozen=True)
class Repair:
    """What is to be done to B pictures.

    shift (B, 2, h, w): from where each place takes its pixel, right and down, in units of W / w and H / h. mask
    (B, 1, H, W): the share of each pixel that comes from the second picture. colors (B, 3, H, W): added at the end.
    """

    colors: Tensor
    mask: Tensor
    shift: Tensor

    def __getitem__(self, index: slice) -> "Repair":
        """Some of the pictures' repairs."""
        return Repair(self.colors[index], self.mask[index], self.shift[index])


def count_channels(patch: int) -> int:
    """Channels of an answer for pictures in patches: 3 colours and a mask for each pixel, one shift (x, y)."""
    return 4 * patch**2 + 2


def limit_taking(mask: Tensor, person: Tensor, picture: Tensor, other: Tensor) -> Tensor:
    """What may be taken of the other picture: not a person who has moved, nor what a person who has moved now hides.

    mask (B, 1, H, W); person (B, 2, H, W): probability of person in the other picture and in the picture, (B, 3, H, W)
    each. Where the pictures agree nothing has moved, and where they differ by `CERTAINLY_MOVED` all has.
    """
    difference = (other - picture).abs().amax(1, keepdim=True)
    moved = (difference / CERTAINLY_MOVED).clamp(max=1) * person.amax(1, keepdim=True)
    return mask * (1 - moved)


def read_repair(answer: Tensor, patch: int, scale: float) -> Repair:
    """What a network's answer (B, 4 patch^2 + 2, H / patch, W / patch) means; all zeros change nothing.

    Its channels: colours, times `scale`; mask; shift, in patches.
    """
    colors, mask, shift = answer.float().split((3 * patch**2, patch**2, 2), dim=1)
    return Repair(F.pixel_shuffle(colors, patch) / scale, F.pixel_shuffle(mask, patch), shift)


def apply_repair(repair: Repair, picture: Tensor, other: Tensor) -> Tensor:
    """Repair pictures with the help of others, (B, 3, H, W) each, at whatever resolution they have."""
    size = (picture.shape[2], picture.shape[3])
    moved = move_pixels(picture, repair.shift)
    return moved + resize(repair.mask, size) * (other - moved) + resize(repair.colors, size)


def resize(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture (B, C, H, W) at another size (height, width)."""
    if picture.shape[2:] == size:
        return picture
    return F.interpolate(picture, size=size, mode="bicubic", align_corners=False, antialias=True)


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
