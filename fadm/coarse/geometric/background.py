"""The person as a layer before the background, which stays where it is and is filled where the person hid it.

A picture is C = a F + (1 - a) B: the person's colours F by their share a, before a background B. Only the first term
moves: a frame is the moved a F, and B where the moved a leaves it (Porter and Duff, "Compositing Digital Images").
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from fadm.coarse.geometric.flow import view_grid
from fadm.face.matting import refine_matte
from fadm.media.crop import Square, cut_square

HIDDEN_MARGIN = 0.015  # width of the band beside the person that is not believed to be background, in region sides
MIRROR_START, MIRROR_END = 0.05, 0.15  # way behind the person up to which, and from which no background is mirrored
MIRRORED = 0.5  # share of the mirror image: it has texture, what is blurred has the smaller error
SMOOTHED_ROWS = 0.01  # half of the rows over which that way is smoothed
UNKNOWN = 1e-6  # weight of colours that are not known to be background: where nothing else is known, they stay


@dataclass(frozen=True)
class Layers:
    """A source taken apart.

    Attributes:
        person: Its colours weighted by their share, then the share of the background (1, C + 1, R, R), over the region.
        region: The window that may move.
        places: Places of the view's pixels in the region (1, 2, S, S), x and y from -1 to 1.
        background: The background alone (1, C, S, S), over the view.
        is_known: Share of the background that the source shows (1, 1, S, S), over the view.
    """

    person: Tensor
    region: Square
    places: Tensor
    background: Tensor
    is_known: Tensor

    @property
    def corner(self) -> tuple[int, int]:
        """Place x, y of the region's first pixel in the picture."""
        return self.region.left, self.region.top

    def move_person(self, shift: Tensor) -> Tensor:
        """Move the person.

        Args:
            shift: Place in the source minus place in the view (1, 2, S, S), in the picture's pixels.

        Returns:
            The moved person (1, C + 1, S, S).
        """
        grid = torch.add(self.places, shift.to(self.places.device), alpha=2 / self.region.side).permute(0, 2, 3, 1)
        return F.grid_sample(self.person, grid, mode="bilinear", padding_mode="border", align_corners=False)

    def compose(self, person: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
        """Place the moved person before the background.

        Args:
            person: The moved person (1, C + 1, S, S), which is overwritten.
            confidence: How reliable the detail of the moved person is (1, 1, S, S).

        Returns:
            The frame (1, C, S, S) and how reliable its detail is (1, 1, S, S).
        """
        behind = person[:, -1:]
        frame = person[:, :-1].addcmul_(behind, self.background)
        return frame, torch.lerp(confidence.to(behind.device), self.is_known, behind)


def split_layers(picture: Tensor, person: Tensor, region: Square, view: Square, size: int) -> Layers:
    """Take a source apart.

    Args:
        picture: The source (1, 3, H, W), or (1, 4, H, W) with alpha.
        person: Probability of the person (1, 1, P, P) over the region.
        region: The window that may move.
        view: The window that is rendered, inside the region.
        size: Side of the rendered window in pixels.

    Returns:
        The layers.
    """
    window = cut_square(picture, region)
    share = refine_matte(window[:, :3], person)
    margin = max(1, round(HIDDEN_MARGIN * region.side))
    hidden = F.max_pool2d(share, 2 * margin + 1, stride=1, padding=margin)
    background = fill_behind(window, 1 - hidden)
    layer = torch.cat([window - (1 - share) * background, 1 - share], 1)
    inner = view.within(region)
    cut = cut_square(torch.cat([background, 1 - hidden], 1), inner, size)
    places = torch.from_numpy(view_grid(inner, size)).permute(2, 0, 1)[None].to(picture.device)
    return Layers(layer, region, (2 * places + 1) / region.side - 1, cut[:, :-1], cut[:, -1:])


def fill_behind(picture: Tensor, known: Tensor) -> Tensor:
    """Fill what is not known of a picture: near its border by the mirror image of what lies beside it, then blurred.

    Args:
        picture: The picture (1, C, S, S).
        known: How far each pixel is known (1, 1, S, S) in [0, 1].

    Returns:
        The filled picture (1, C, S, S).
    """
    way = _ways_across(known[0, 0] > 0.5)
    columns = torch.arange(way.shape[1], device=way.device) + 2 * way
    columns = columns.round().long().clamp(0, way.shape[1] - 1)
    seen, is_seen = (x.gather(-1, columns.expand_as(x)) for x in (picture, known))
    depth = way.abs() / way.shape[1]
    is_near = ((MIRROR_END - depth) / (MIRROR_END - MIRROR_START)).clamp(0, 1)
    filled = torch.lerp(fill(picture, known), seen, MIRRORED * is_near * is_seen)
    return torch.lerp(filled, picture, known)


def _ways_across(is_known: Tensor) -> Tensor:
    """Way (S, S) in pixels to the right from each unknown pixel (S, S) to the nearest known one of its row.

    It is negative to the left, and smoothed over neighbouring rows.
    """
    size = is_known.shape[1]
    columns = torch.arange(size, device=is_known.device).expand_as(is_known)
    left = torch.where(is_known, columns, -2 * size).cummax(1).values
    right = torch.where(is_known, columns, 3 * size).flip(1).cummin(1).values.flip(1)
    way = torch.where(columns - left <= right - columns, left, right) - columns
    reach = max(1, round(SMOOTHED_ROWS * size))
    return F.avg_pool2d(way[None].float(), (2 * reach + 1, 1), 1, (reach, 0), count_include_pad=False)[0]


def fill(picture: Tensor, known: Tensor) -> Tensor:
    """Fill what is not known of a picture from what is known beside it, the more blurred the farther away that lies.

    Gortler et al., "The Lumigraph", 1996, section 3.4 (pull and push).

    Args:
        picture: The picture (1, C, H, W).
        known: How far each pixel is known (1, 1, H, W) in [0, 1].

    Returns:
        The filled picture (1, C, H, W).
    """
    weight = known.clamp(min=UNKNOWN)
    if min(picture.shape[-2:]) == 1:
        return picture
    joint = F.avg_pool2d(torch.cat([picture * weight, weight], 1), 2, ceil_mode=True)
    coarser = fill(joint[:, :-1] / joint[:, -1:], (2 * joint[:, -1:]).clamp(max=1))
    around = F.interpolate(coarser, picture.shape[-2:], mode="bilinear", align_corners=False)
    return torch.lerp(around, picture, known)
