"""Eyes drawn as layers: eyeball, iris, highlights and the lids' shadow between moved lids, and lids that close.

A warp alone stretches an iris where lids open, and lashes where they close. All is drawn in the frame of the eye in
the source: the head's motion is taken back first.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fadm.coarse.geometric.eyeball import LEFT, SIDE, TOP
from fadm.coarse.geometric.eyes import NODES, SHADOW_DEPTHS, Eye, Lids, eye_chains, heights_along
from fadm.coarse.geometric.flow import apply_affine, fit_affine, sample
from fadm.face import topology
from fadm.media.crop import Square

FloatArray = NDArray[np.floating[Any]]

# All lengths are in widths of the eye.
NOTICED = (0.003, 0.04)  # motion of lids or iris from which the layers are seen, and from which nothing else is
CLOSING = 0.06  # growth of the upper lid from which it is drawn alone
LASHES = 0.1  # height of the lashes at the lid's edge, which are not stretched
BEND = 0.04  # growth of the lid at which half of its middle is skin that was folded away
DARKER = 0.12  # by how much that skin is darker at the lashes and the fold
BELOW = 0.08  # height below the lower lid that is drawn with it
MARGIN = 0.1  # drawn around lids and fold
OVERLAP, NEARLY_SHUT = 0.04, 0.1  # lids that are less than the second apart overlap by up to the first
ROUND = 2.05  # radius of the eyeball over the iris's


@dataclass(frozen=True)
class _Window:
    """The pixels around an eye, with what is known of each (h, w), in the eye's frame.

    Attributes:
        frame: The result's pixels (C, h, w), a view.
        local: Their places (h, w, 2).
        pixel: Size of a pixel.
        upper: Height of the upper lid's edge.
        lower: Height of the lower lid's edge.
        fold: Height of the fold.
        upper_place: Place along the eye in the source that belongs to the upper lid here.
        lower_place: Likewise for the lower lid.
        own_upper: Height of the upper lid's edge there.
        own_lower: Height of the lower lid's edge there.
        own_fold: Height of the fold there.
        inside: Distance from the nearer corner along the eye.
        skin: Colour of the lid's skin (h, w, C).
    """

    frame: Tensor
    local: FloatArray
    pixel: float
    upper: FloatArray
    lower: FloatArray
    fold: FloatArray
    upper_place: FloatArray
    lower_place: FloatArray
    own_upper: FloatArray
    own_lower: FloatArray
    own_fold: FloatArray
    inside: FloatArray
    skin: FloatArray


def draw_eyes(
    eyes: list[Eye],
    frame: Tensor,
    picture: Tensor,
    pixels: FloatArray,
    view: Square,
    landmarks: FloatArray,
    carried: FloatArray,
) -> None:
    """Draw the eyes over a warped frame, in place, as far as they differ from the source's.

    Args:
        eyes: The source's eyes.
        frame: The warped frame (1, C, S, S).
        picture: The source (1, C, H, W).
        pixels: Places of the frame's pixels in the picture (S, S, 2).
        view: The window that is rendered.
        landmarks: New landmarks (478, 3), in the source's pixels.
        carried: The source's landmarks moved by the head's motion alone (478, 3).
    """
    for eye in eyes:
        chains = eye_chains(eye.index)
        ring = chains[0] + chains[1]
        iris = topology.EYES[eye.index][2][0]
        back = fit_affine(carried[ring], np.concatenate([eye.lids.upper, eye.lids.lower])).astype(np.float32)
        lids = Lids(*(apply_affine(landmarks[chain, :2], back) for chain in chains))
        turn = (landmarks[iris, :2] - carried[iris, :2]) @ back[:2]
        by_lids = np.abs(np.concatenate([lids.upper - eye.lids.upper, lids.lower - eye.lids.lower])).max()
        noticed = _rise(max(float(by_lids), math.hypot(*turn)), *NOTICED)
        if not noticed:
            continue
        window = _open_window(eye, lids, frame, pixels, view, back, landmarks[ring + chains[2], :2])
        if window is not None:
            _draw_lids(eye, window, picture, noticed)
            _draw_ball(eye, window, turn, noticed)


def _open_window(
    eye: Eye, lids: Lids, frame: Tensor, pixels: FloatArray, view: Square, back: FloatArray, outline: FloatArray
) -> _Window | None:
    """Cut out the pixels around an eye's outline (N, 2); None outside of the frame."""
    size, scale = len(pixels), len(pixels) / view.side
    shrink = math.sqrt(abs(float(np.linalg.det(back[:2]))))
    corner = np.array([view.left, view.top])
    low = np.floor((outline.min(0) - MARGIN / shrink - corner) * scale).astype(int).clip(0, size)
    high = np.ceil((outline.max(0) + MARGIN / shrink - corner) * scale).astype(int).clip(0, size)
    if (high - low < 2).any():
        return None
    rows, columns = slice(low[1], high[1]), slice(low[0], high[0])
    local = apply_affine(pixels[rows, columns], back)
    table = _tabulate(eye, lids)
    spot = np.clip((local[..., 0] - np.float32(NODES[0])) / np.float32(NODES[1] - NODES[0]), 0, len(NODES) - 1.001)
    node = spot.astype(int)
    share: FloatArray = (spot - node.astype(np.float32))[..., None]
    read = table[node] * (1 - share) + table[node + 1] * share
    lines = [*np.moveaxis(read[..., :9], -1, 0), read[..., 9:]]
    return _Window(frame[0][:, rows, columns], local, shrink / scale, *lines)


def _tabulate(eye: Eye, lids: Lids) -> FloatArray:
    """Compute at each node (N, 9 + C) what a window holds for each pixel, from `upper` on."""
    own = eye.lids
    upper_place, lower_place = (
        np.interp(NODES, np.maximum.accumulate(moved[:, 0]), rest[:, 0])
        for moved, rest in ((lids.upper, own.upper), (lids.lower, own.lower))
    )
    columns = [heights_along(chain, NODES) for chain in (lids.upper, lids.lower, lids.fold)]
    opening, usual = (heights_along(pair.lower, NODES) - heights_along(pair.upper, NODES) for pair in (lids, own))
    columns[0] += OVERLAP * np.clip(1 - opening / NEARLY_SHUT, 0, 1) * np.clip(usual / NEARLY_SHUT, 0, 1)
    columns += [upper_place, lower_place]
    columns += [heights_along(own.upper, upper_place), heights_along(own.lower, lower_place)]
    columns += [heights_along(own.fold, upper_place)]
    columns += [np.minimum(NODES - lids.upper[0, 0], lids.upper[-1, 0] - NODES)]
    return np.concatenate([np.stack(columns, 1), eye.skin], 1).astype(np.float32)


def _draw_lids(eye: Eye, window: _Window, picture: Tensor, noticed: float) -> None:
    """Draw a closing lid: lashes as they are, and above them skin that was folded away."""
    height, own_height = window.upper - window.fold, window.own_upper - window.own_fold
    growth = np.maximum(height - own_height, 0)
    ends = np.clip(window.inside / 0.03, 0, 1)
    closing = _rise(float((growth * ends).max()), 0.0, CLOSING) * noticed
    if not closing:
        return
    rise, below = window.upper - window.local[..., 1], window.local[..., 1] - window.lower
    lashes = np.minimum(LASHES, 0.6 * own_height)
    across = np.clip((rise - lashes) / np.maximum(growth + own_height - lashes, 1e-3), 0, 1)  # from lashes to fold
    source_rise = np.minimum(rise, lashes) + across * (own_height - lashes)
    half = 0.5 / eye.frame.width  # a pixel of the source that touches the edge shows the eyeball too
    upper = np.stack([window.upper_place, window.own_upper - np.maximum(source_rise, half)], -1)
    lower = np.stack([window.lower_place, window.own_lower + np.maximum(below, half)], -1)
    places = torch.from_numpy(np.stack([eye.frame.place(place) for place in (upper, lower)]))
    upper_lid, lower_lid = sample(picture.expand(2, -1, -1, -1), places)

    fresh = np.clip(4 * np.minimum(across, 1 - across), 0, 1) * growth / (growth + BEND)
    fresh = fresh * fresh * (3 - 2 * fresh) * np.clip(window.inside / 0.25, 0, 1)
    colours = window.skin.copy()
    colours[..., :3] *= (1 - DARKER * (2 * across - 1) ** 2)[..., None]
    skin = _tensor(colours).permute(2, 0, 1).to(upper_lid.device)
    upper_lid.lerp_(skin, _weight(fresh, skin))

    is_lower = np.clip(below / window.pixel + 1.5, 0, 1) * np.clip(1 - below / BELOW, 0, 1)
    is_upper = np.clip(rise / window.pixel + 0.5, 0, 1)
    is_upper *= np.clip((height - rise) / np.maximum(0.3 * height, 1e-3), 0, 1)
    window.frame.lerp_(lower_lid, _weight(closing * ends * is_lower, skin))
    window.frame.lerp_(upper_lid, _weight(closing * ends * is_upper, skin))


def _draw_ball(eye: Eye, window: _Window, turn: FloatArray, noticed: float) -> None:
    """Draw the white, the turned iris, shadows and highlights between the lids."""
    above, below = window.local[..., 1] - window.upper, window.lower - window.local[..., 1]
    inside = np.clip(np.minimum(np.minimum(above, below), window.inside) / window.pixel, 0, 1)
    if not inside.any():
        return
    colours = len(window.frame)
    ball = _sample_texture(eye.ball, window.local)
    arm = _unturn(window.local - (eye.iris.centre + turn).astype(np.float32), turn, ROUND * eye.iris.radius)
    is_iris = _weight(eye.iris.cover(np.linalg.norm(arm, axis=-1), window.pixel), ball)
    drawn = torch.lerp(ball[:colours], _sample_texture(eye.disc, eye.iris.centre.astype(np.float32) + arm), is_iris)
    drawn *= _sample_shadow(eye.shadows[:, :colours], window.upper_place, above)
    drawn *= _sample_shadow(eye.shadows[:, colours:], window.lower_place, below)
    drawn = (drawn + ball[colours:] * is_iris).clamp(0, 1)
    window.frame.lerp_(drawn, _weight(noticed * inside, ball))


def _unturn(arm: FloatArray, turn: FloatArray, reach: float) -> FloatArray:
    """Take back the foreshortening of an iris that turns aside on an eyeball of radius `reach`; arm (h, w, 2)."""
    length = math.hypot(*turn)
    if length < 1e-6:
        return arm
    direction = (turn / length).astype(np.float32)
    narrow = math.sqrt(max(1 - (length / reach) ** 2, 0.4))
    return arm + ((arm @ direction) * (1 / narrow - 1))[..., None] * direction


def _sample_texture(texture: Tensor, local: FloatArray) -> Tensor:
    """Colours (C, h, w) of a texture at places (h, w, 2) of the eye's frame."""
    unit = _tensor((local - np.array([LEFT, TOP], np.float32)) * np.float32(2 / SIDE) - 1)[None].to(texture.device)
    return F.grid_sample(texture, unit, mode="bilinear", padding_mode="border", align_corners=False)[0]


def _sample_shadow(shadow: Tensor, places: FloatArray, depths: FloatArray) -> Tensor:
    """Factors (C, h, w) of a lid's shadow at places along it and depths behind its edge (h, w)."""
    first, last = SHADOW_DEPTHS[[0, -1]]
    unit = _tensor(np.stack([2 * places - 1, 2 * (depths - first) / (last - first) - 1], -1))[None].to(shadow.device)
    return F.grid_sample(shadow, unit, mode="bilinear", padding_mode="border", align_corners=True)[0]


def _weight(values: FloatArray, like: Tensor) -> Tensor:
    return _tensor(values)[None].to(like.device)


def _tensor(values: FloatArray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def _rise(value: float, start: float, end: float) -> float:
    """Rise from 0 at the start to 1 at the end."""
    return float(np.clip((value - start) / (end - start), 0, 1))
