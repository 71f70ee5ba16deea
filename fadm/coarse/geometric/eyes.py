"""Eyes drawn as layers: eyeball, iris, highlights and the lids' shadow between moved lids, and lids that close.

A warp alone stretches an iris where lids open, and lashes where they close. All is drawn in the frame of the eye in
the source: the head's motion is taken back first.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.coarse.geometric import eyeball
from fadm.coarse.geometric.eyeball import LEFT, SIDE, TOP, Iris, texture_grid
from fadm.coarse.geometric.flow import sample
from fadm.face import topology
from fadm.media.crop import Square

FloatArray = NDArray[np.floating[Any]]

# From the outer to the inner corner, above the upper lid: the fold between lid and brow.
FOLDS = ((33, 247, 30, 29, 27, 28, 56, 190, 133), (263, 467, 260, 259, 257, 258, 286, 414, 362))
NODES = np.linspace(-0.15, 1.15, 66)  # places along the eye at which the lids' heights are tabulated
TEXELS = (48, 400)  # fewest and most texels along an eye's frame
NARROW = 0.05  # mean opening below which a source's eye is closed, in its widths
NOTICED = (0.003, 0.04)  # motion of lids or iris from which the layers are seen, and from which nothing else is
LASHES = 0.1  # height of the lashes at the lid's edge that are not stretched
BEND = 0.04  # growth of the lid at which half of it is skin that was folded away
DARKER = 0.12  # by how much that skin is darker at the lashes and the fold
BELOW = 0.08  # height below the lower lid that is drawn with it
ROUND = 2.05  # radius of the eyeball over the iris's


@dataclass(frozen=True)
class EyeFrame:
    """The frame of an eye in the source: unit is the distance between its corners, v points downwards."""

    corner: FloatArray
    axes: FloatArray
    width: float

    def local(self, points: FloatArray) -> FloatArray:
        """Places (..., 2) of the source in the eye's frame."""
        return (points - self.corner) @ self.axes.T / self.width

    def place(self, local: FloatArray) -> FloatArray:
        """Places (..., 2) of the eye's frame in the source."""
        return (self.corner + self.width * local @ self.axes).astype(np.float32)


@dataclass(frozen=True)
class Lids:
    """Points (9, 2) of both lids' edges and of the fold above, in the eye's frame."""

    upper: FloatArray
    lower: FloatArray
    fold: FloatArray


@dataclass(frozen=True)
class Eye:
    """One eye of a source.

    Attributes:
        index: 0 for the right eye, 1 for the left.
        frame: Its frame.
        lids: Its lids in the source.
        iris: Its iris in the source.
        ball: Textures of the white and the highlights (1, 2C, T, T).
        disc: Texture of the iris (1, C, T, T).
        shadows: Factors below the upper, then above the lower lid's edge (1, 2C, depths, places).
        skin: Colour of the upper lid's skin at the nodes (N, C).
    """

    index: int
    frame: EyeFrame
    lids: Lids
    iris: Iris
    ball: Tensor
    disc: Tensor
    shadows: Tensor
    skin: FloatArray


def prepare_eyes(picture: Tensor, landmarks: FloatArray) -> list[Eye]:
    """Take the eyes of a source apart.

    Args:
        picture: The source (1, C, H, W), three colours and perhaps alpha.
        landmarks: Its landmarks (478, 3), in its pixels.

    Returns:
        The eyes that are open.
    """
    eyes = [_prepare_eye(picture, landmarks, index) for index in range(len(topology.EYES))]
    return [eye for eye in eyes if eye is not None]


def draw_eyes(
    eyes: list[Eye], frame: Tensor, picture: Tensor, pixels: FloatArray, view: Square, landmarks: FloatArray, carried: FloatArray
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
        _draw_eye(eye, frame, picture, pixels, view, landmarks, carried)


def _chains(index: int) -> tuple[list[int], list[int], list[int]]:
    upper, lower, _ = topology.EYES[index]
    return list(upper), list(lower), list(FOLDS[index])


def _prepare_eye(picture: Tensor, landmarks: FloatArray, index: int) -> Eye | None:
    upper, lower, fold = (landmarks[chain, :2].astype(np.float64) for chain in _chains(index))
    across = upper[-1] - upper[0]
    width = float(np.linalg.norm(across))
    if width < 4:
        return None
    across = across / width
    down = np.array([-across[1], across[0]])
    down = down if ((lower - upper).sum(0) @ down) > 0 else -down
    frame = EyeFrame(upper[0], np.stack([across, down]), width)
    lids = Lids(*(frame.local(chain) for chain in (upper, lower, fold)))
    if (lids.lower - lids.upper)[1:-1, 1].mean() < NARROW:
        return None
    texels = int(np.clip(2 * SIDE * width, *TEXELS))
    grid = texture_grid(texels)
    colours = _read(picture, frame, grid)
    top, bottom = (_heights(chain, grid[..., 0]) for chain in (lids.upper, lids.lower))
    above, below = grid[..., 1] - top, bottom - grid[..., 1]
    is_beyond = (grid[..., 0] < 0) | (grid[..., 0] > 1)
    above[is_beyond] = below[is_beyond] = -1
    ring = frame.local(landmarks[list(topology.EYES[index][2]), :2])
    radius = float(np.linalg.norm(ring[1:] - ring[0], axis=1).mean())
    guess = Iris(ring[0], radius, max(0.12 * radius, 1.2 / width))
    layers = eyeball.take_apart(colours, above, below, eyeball.find_iris(colours, above, below, guess))

    def texture(*parts: FloatArray) -> Tensor:
        return torch.from_numpy(np.concatenate(parts, -1).astype(np.float32)).permute(2, 0, 1)[None].to(picture.device)

    return Eye(
        index=index,
        frame=frame,
        lids=lids,
        iris=layers.iris,
        ball=texture(layers.white, layers.highlights),
        disc=texture(layers.disc),
        shadows=texture(*_measure_shadows(picture, frame, lids, layers)),
        skin=_find_lid_skin(picture, frame, lids),
    )


def _read(picture: Tensor, frame: EyeFrame, local: FloatArray) -> FloatArray:
    """Colours (H, W, C) of the source at places (H, W, 2) of the eye's frame."""
    return sample(picture, torch.from_numpy(frame.place(local))[None])[0].permute(1, 2, 0).cpu().numpy().astype(float)


def _heights(chain: FloatArray, places: FloatArray) -> FloatArray:
    """Heights of a lid's edge at places along the eye."""
    return np.interp(places, np.maximum.accumulate(chain[:, 0]), chain[:, 1])


def _measure_shadows(
    picture: Tensor, frame: EyeFrame, lids: Lids, layers: eyeball.Eyeball
) -> tuple[FloatArray, FloatArray]:
    """How lashes and lids darken the eyeball, by place along the lid and depth behind its edge (depths, places, C)."""
    places = np.tile(eyeball.SHADOW_PLACES, (len(eyeball.SHADOW_DEPTHS), 1))
    shadows = []
    for chain, sign in ((lids.upper, 1), (lids.lower, -1)):
        heights = _heights(chain, places) + sign * eyeball.SHADOW_DEPTHS[:, None]
        points = np.stack([places, heights], -1)
        other = _heights(lids.lower if sign > 0 else lids.upper, places)
        room = sign * (other - heights)
        seen = _read(picture, frame, points)
        away = np.linalg.norm(points - layers.iris.centre, axis=-1, keepdims=True)
        drawn = eyeball.read_texture(layers.white, points)
        drawn += layers.iris.cover(away) * (eyeball.read_texture(layers.disc, points) - drawn)
        ratio = np.log(np.clip((seen + 0.02) / (drawn + 0.02), *eyeball.SHADOW_RANGE))
        share = np.clip(room / eyeball.SHADOW_DEPTHS[:, None], 0, 1) * np.clip(room / 0.02, 0, 1)
        grey = ratio[..., :3].mean(-1, keepdims=True)
        ratio[..., :3] += layers.iris.cover(away) * (grey - ratio[..., :3])  # colours of an iris are its own
        ratio *= share[..., None]
        weight = share[..., None] + 1e-3
        kernel = np.array([1, 2, 3, 2, 1]) / 9
        def smooth(values: FloatArray) -> FloatArray:
            padded = np.pad(values, ((0, 0), (2, 2), (0, 0)), mode="edge")
            return sum(k * padded[:, i : i + values.shape[1]] for i, k in enumerate(kernel))
        ratio = smooth(ratio * weight) / smooth(weight)
        ratio[..., 3:] = 0
        ratio[-1] = 0
        shadows.append(np.exp(ratio))
    return shadows[0], shadows[1]


def _find_lid_skin(picture: Tensor, frame: EyeFrame, lids: Lids) -> FloatArray:
    """Colour of the upper lid's skin along the eye (N, C): the lighter part of what lies between lashes and fold."""
    places = np.linspace(0.1, 0.9, 17)
    edge, fold = _heights(lids.upper, places), _heights(lids.fold, places)
    shares = np.linspace(0.5, 1.4, 9)[:, None]
    colours = _read(picture, frame, np.stack([np.tile(places, (9, 1)), edge + shares * (fold - edge)], -1))
    order = eyeball.measure_luminance(colours).argsort(0)[3:7]  # of nine: without lashes, fold, frames of glasses and shine
    lighter = np.take_along_axis(colours, order[..., None], 0).mean(0)
    basis = np.stack([np.ones_like(places), places - 0.5, (places - 0.5) ** 2 - 0.05], 1)
    factors = np.linalg.lstsq(basis, lighter, rcond=None)[0]
    along = np.clip(NODES, 0.1, 0.9)
    return np.stack([np.ones_like(along), along - 0.5, (along - 0.5) ** 2 - 0.05], 1) @ factors


def _draw_eye(
    eye: Eye, frame: Tensor, picture: Tensor, pixels: FloatArray, view: Square, landmarks: FloatArray, carried: FloatArray
) -> None:
    chains = _chains(eye.index)
    iris = topology.EYES[eye.index][2][0]
    ring = chains[0] + chains[1]
    back = _fit_affine(carried[ring, :2], eye.frame.place(np.concatenate([eye.lids.upper, eye.lids.lower])))
    lids = Lids(*(eye.frame.local(_apply(landmarks[chain, :2], back)) for chain in chains))
    turn = (landmarks[iris, :2] - carried[iris, :2]) @ back[:2] @ eye.frame.axes.T / eye.frame.width
    lid_motion = max(float(np.abs(a - b).max()) for a, b in ((lids.upper, eye.lids.upper), (lids.lower, eye.lids.lower)))
    noticed = _rise(max(lid_motion, float(np.linalg.norm(turn))), *NOTICED)
    if not noticed:
        return
    size, points = len(pixels), landmarks[[*ring, *chains[2]], :2]
    margin = 0.15 * eye.frame.width / math.sqrt(abs(np.linalg.det(back[:2])))
    scale = size / view.side
    low = np.floor((points.min(0) - margin - [view.left, view.top]) * scale).astype(int).clip(0, size)
    high = np.ceil((points.max(0) + margin - [view.left, view.top]) * scale).astype(int).clip(0, size)
    if (high - low < 2).any():
        return
    rows, columns = slice(low[1], high[1]), slice(low[0], high[0])
    local = eye.frame.local(_apply(pixels[rows, columns], back))
    pixel = math.sqrt(abs(np.linalg.det(back[:2]))) / scale / eye.frame.width
    window = frame[..., rows, columns]
    lines = _tabulate(eye, lids, local[..., 0])
    _draw_lids(eye, window, picture, local, lines, pixel, noticed)
    _draw_ball(eye, window, local, lines, turn, pixel, noticed)


@dataclass(frozen=True)
class _Lines:
    """Per pixel (h, w): heights of the moved lids and fold, the source's places and heights that belong to them."""

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


def _tabulate(eye: Eye, lids: Lids, along: FloatArray) -> _Lines:
    own = eye.lids
    upper_place, lower_place = (
        np.interp(NODES, np.maximum.accumulate(moved[:, 0]), rest[:, 0])
        for moved, rest in ((lids.upper, own.upper), (lids.lower, own.lower))
    )
    ends = lids.upper[[0, -1], 0]
    columns = [_heights(chain, NODES) for chain in (lids.upper, lids.lower, lids.fold)]
    columns += [upper_place, lower_place, _heights(own.upper, upper_place), _heights(own.lower, lower_place)]
    columns += [_heights(own.fold, upper_place), np.minimum(NODES - ends[0], ends[1] - NODES)]
    table = np.concatenate([np.stack(columns, 1), eye.skin], 1).astype(np.float32)
    spot = np.clip((along - NODES[0]) / (NODES[1] - NODES[0]), 0, len(NODES) - 1.001)
    node = spot.astype(int)
    share = (spot - node).astype(np.float32)[..., None]
    read = table[node] * (1 - share) + table[node + 1] * share
    return _Lines(*np.moveaxis(read[..., :9], -1, 0), skin=read[..., 9:])


def _draw_lids(
    eye: Eye, window: Tensor, picture: Tensor, local: FloatArray, lines: _Lines, pixel: float, noticed: float
) -> None:
    """Draw a closing lid: lashes and fold as they are, between them the skin that was folded away."""
    height, own_height = lines.upper - lines.fold, lines.own_upper - lines.own_fold
    growth = np.maximum(height - own_height, 0)
    along = np.clip(lines.inside / 0.1, 0, 1)
    closing = _rise(float((growth * along).max()), 0.0, 0.06) * noticed
    if not closing:
        return
    rise = lines.upper - local[..., 1]
    lashes = np.minimum(LASHES, 0.6 * own_height)
    across = np.clip((rise - lashes) / np.maximum(growth + own_height - lashes, 1e-3), 0, 1)
    source_rise = np.minimum(rise, lashes) + across * (own_height - lashes)
    upper = np.stack([lines.upper_place, lines.own_upper - source_rise], -1)
    lower = np.stack([lines.lower_place, lines.own_lower + local[..., 1] - lines.lower], -1)
    below = -rise + (lines.upper - lines.lower)
    is_upper = np.clip(rise / pixel + 0.5, 0, 1)[..., None]
    reads = torch.from_numpy(np.stack([eye.frame.place(place) for place in (upper, lower)]))
    own_upper, own_lower = sample(picture.expand(2, -1, -1, -1), reads)
    fresh = np.clip(4 * np.minimum(across, 1 - across), 0, 1) * growth / (growth + BEND)
    fresh = fresh * fresh * (3 - 2 * fresh) * np.clip(lines.inside / 0.25, 0, 1)
    shade = (1 - DARKER * (2 * across - 1) ** 2)[..., None]
    skin = torch.from_numpy((lines.skin * shade).astype(np.float32)).permute(2, 0, 1).to(window.device)
    own_upper = torch.lerp(own_upper, skin, _weight(fresh, window))
    near_fold = np.clip((height - rise) / np.maximum(0.3 * height, 1e-3), 0, 1)
    near_lower = np.clip(below / pixel + 1.5, 0, 1) * np.clip(1 - below / BELOW, 0, 1)
    window[0].lerp_(own_lower, _weight(closing * along * near_lower, window))
    window[0].lerp_(own_upper, _weight(closing * along * near_fold * is_upper[..., 0], window))


def _draw_ball(
    eye: Eye, window: Tensor, local: FloatArray, lines: _Lines, turn: FloatArray, pixel: float, noticed: float
) -> None:
    above, below = local[..., 1] - lines.upper, lines.lower - local[..., 1]
    opening = np.maximum(lines.lower - lines.upper, 0)
    slack = 0.03 * np.clip(1 - opening / 0.06, 0, 1)  # lids that nearly meet have no slit between them
    inside = np.clip((np.minimum(above, below) - slack) / pixel, 0, 1) * np.clip(lines.inside / pixel, 0, 1)
    if not inside.any():
        return
    colours = window.shape[1]
    iris = eye.iris
    ball = _sample_texture(eye.ball, local)
    arm = local - iris.centre - turn
    reach = ROUND * iris.radius
    length = float(np.linalg.norm(turn))
    if length > 1e-6:  # an iris that turns aside is seen foreshortened
        direction = turn / length
        narrow = math.sqrt(max(1 - (length / reach) ** 2, 0.4))
        arm = arm + ((arm @ direction) * (1 / narrow - 1))[..., None] * direction
    away = np.linalg.norm(arm, axis=-1)
    is_iris = _weight(iris.cover(away, pixel), window)
    drawn = torch.lerp(ball[:colours], _sample_texture(eye.disc, iris.centre + arm), is_iris)
    for part, place, depth in ((0, lines.upper_place, above), (1, lines.lower_place, below)):
        drawn = drawn * _sample_shadow(eye.shadows[:, part * colours : (part + 1) * colours], place, depth)
    drawn = (drawn + ball[colours:] * is_iris).clamp(0, 1)
    window[0].lerp_(drawn, _weight(noticed * inside, window))


def _sample_texture(texture: Tensor, local: FloatArray) -> Tensor:
    """Colours (C, h, w) of a texture at places (h, w, 2) of the eye's frame."""
    unit = (local - [LEFT, TOP]) * (2 / SIDE) - 1
    return _grid_sample(texture, unit, align_corners=False)


def _sample_shadow(shadow: Tensor, places: FloatArray, depths: FloatArray) -> Tensor:
    first, last = eyeball.SHADOW_DEPTHS[[0, -1]]
    unit = np.stack([2 * places - 1, 2 * (depths - first) / (last - first) - 1], -1)
    return _grid_sample(shadow, unit, align_corners=True)


def _grid_sample(texture: Tensor, unit: FloatArray, align_corners: bool) -> Tensor:
    grid = torch.from_numpy(unit.astype(np.float32))[None].to(texture.device)
    return torch.nn.functional.grid_sample(
        texture, grid, mode="bilinear", padding_mode="border", align_corners=align_corners
    )[0]


def _weight(values: FloatArray, like: Tensor) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))[None].to(like.device)


def _rise(value: float, start: float, end: float) -> float:
    return float(np.clip((value - start) / (end - start), 0, 1))


def _fit_affine(points: FloatArray, target: FloatArray) -> FloatArray:
    """Fit a matrix (3, 2) by least squares: target (N, 2) ~ [points (N, 2), 1] @ matrix."""
    ones = np.ones((len(points), 1))
    return np.linalg.lstsq(np.concatenate([points, ones], 1), target, rcond=None)[0]


def _apply(points: FloatArray, matrix: FloatArray) -> FloatArray:
    return points @ matrix[:2] + matrix[2]
