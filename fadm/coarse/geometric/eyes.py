"""The eyes of a source: their frame, the layers of each eyeball, the lids' shadow and the colour of their skin."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.coarse.geometric.eyeball import (
    SIDE,
    Eyeball,
    Iris,
    find_iris,
    measure_luminance,
    read_texture,
    take_apart,
    texture_grid,
)
from fadm.coarse.geometric.flow import sample
from fadm.face import topology

FloatArray = NDArray[np.floating[Any]]

# From the outer to the inner corner, above the upper lid: the fold between lid and brow.
FOLDS = ((33, 247, 30, 29, 27, 28, 56, 190, 133), (263, 467, 260, 259, 257, 258, 286, 414, 362))
NODES = np.linspace(-0.15, 1.15, 66)  # places along the eye at which the lids' heights are tabulated
TEXELS = (48, 400)  # fewest and most texels along an eye's frame
MIN_WIDTH = 4.0  # pixels between the corners of an eye that is worth it
NARROW = 0.05  # mean opening below which a source's eye is closed, in its widths
SHADOW_DEPTHS = np.linspace(0.01, 0.16, 7)  # depths behind a lid's edge at which its shadow is stored
SHADOW_PLACES = np.linspace(0, 1, 17)  # places along a lid at which its shadow is stored
SHADOW_RANGE = (0.2, 1.4)  # darkest and lightest factor
LID_SKIN = (0.5, 1.4)  # where the lid's skin is looked for: from its edge (0) to the fold (1) and beyond


@dataclass(frozen=True)
class EyeFrame:
    """The frame of an eye in the source: (0, 0) is its outer and (1, 0) its inner corner, v points downwards."""

    corner: FloatArray
    axes: FloatArray
    width: float

    def local(self, points: FloatArray) -> FloatArray:
        """Places (..., 2) of the source in the eye's frame."""
        return (points - self.corner) @ self.axes.T / self.width

    def place(self, local: FloatArray) -> FloatArray:
        """Places (..., 2) of the eye's frame in the source."""
        axes = (self.width * self.axes).astype(local.dtype)
        return (local @ axes + self.corner.astype(local.dtype)).astype(np.float32)


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
        ball: Textures of the white, then of the highlights (1, 2C, T, T).
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


def eye_chains(index: int) -> tuple[list[int], list[int], list[int]]:
    """Landmarks of an eye's upper lid, lower lid and fold, from the outer to the inner corner."""
    upper, lower, _ = topology.EYES[index]
    return list(upper), list(lower), list(FOLDS[index])


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


def heights_along(chain: FloatArray, places: FloatArray) -> FloatArray:
    """Heights of a lid's edge (9, 2) at places along the eye."""
    return np.interp(places, np.maximum.accumulate(chain[:, 0]), chain[:, 1])


def _prepare_eye(picture: Tensor, landmarks: FloatArray, index: int) -> Eye | None:
    chains = [landmarks[chain, :2].astype(np.float64) for chain in eye_chains(index)]
    across = chains[0][-1] - chains[0][0]
    width = float(np.linalg.norm(across))
    if width < MIN_WIDTH:
        return None
    across /= width
    down = np.array([-across[1], across[0]])
    if (chains[1] - chains[0]).sum(0) @ down < 0:
        down = -down
    frame = EyeFrame(chains[0][0], np.stack([across, down]), width)
    lids = Lids(*(frame.local(chain) for chain in chains))
    if (lids.lower - lids.upper)[1:-1, 1].mean() < NARROW:
        return None
    layers = _find_layers(picture, frame, lids, frame.local(landmarks[list(topology.EYES[index][2]), :2]))

    def texture(*parts: FloatArray) -> Tensor:
        return torch.from_numpy(np.concatenate(parts, -1).astype(np.float32)).permute(2, 0, 1)[None].to(picture.device)

    return Eye(
        index=index,
        frame=frame,
        lids=lids,
        iris=layers.iris,
        ball=texture(layers.white, layers.highlights),
        disc=texture(layers.disc),
        shadows=texture(
            _measure_shadow(picture, frame, lids.upper, lids.lower, layers),
            _measure_shadow(picture, frame, lids.lower, lids.upper, layers),
        ),
        skin=_find_lid_skin(picture, frame, lids),
    )


def _find_layers(picture: Tensor, frame: EyeFrame, lids: Lids, ring: FloatArray) -> Eyeball:
    """Take an eyeball apart; ring (5, 2): landmarks of the iris in the eye's frame, its centre first."""
    grid = texture_grid(int(np.clip(2 * SIDE * frame.width, *TEXELS)))
    colours = _read(picture, frame, grid)
    above = grid[..., 1] - heights_along(lids.upper, grid[..., 0])
    below = heights_along(lids.lower, grid[..., 0]) - grid[..., 1]
    is_beyond = (grid[..., 0] < 0) | (grid[..., 0] > 1)
    above[is_beyond] = below[is_beyond] = -1
    radius = float(np.linalg.norm(ring[1:] - ring[0], axis=1).mean())
    guess = Iris(ring[0], radius, max(0.12 * radius, 1.2 / frame.width))
    return take_apart(colours, above, below, find_iris(colours, above, below, guess))


def _read(picture: Tensor, frame: EyeFrame, local: FloatArray) -> FloatArray:
    """Colours (H, W, C) of the source at places (H, W, 2) of the eye's frame."""
    return sample(picture, torch.from_numpy(frame.place(local))[None])[0].permute(1, 2, 0).cpu().numpy().astype(float)


def _measure_shadow(
    picture: Tensor, frame: EyeFrame, lid: FloatArray, other: FloatArray, layers: Eyeball
) -> FloatArray:
    """Measure how a lid and its lashes darken the eyeball, by depth behind its edge and place along it.

    Returns:
        Factors (depths, places, C).
    """
    places = np.tile(SHADOW_PLACES, (len(SHADOW_DEPTHS), 1))
    depths, edge = SHADOW_DEPTHS[:, None], heights_along(lid, places)
    gap = heights_along(other, places) - edge
    points = np.stack([places, edge + np.sign(gap) * depths], -1)
    away = np.linalg.norm(points - layers.iris.centre, axis=-1, keepdims=True)
    is_iris = layers.iris.cover(away)
    drawn = read_texture(layers.white, points)
    drawn += is_iris * (read_texture(layers.disc, points) - drawn)
    ratio = np.log(np.clip((_read(picture, frame, points) + 0.02) / (drawn + 0.02), *SHADOW_RANGE))
    grey = ratio[..., :3].mean(-1, keepdims=True)
    ratio[..., :3] += is_iris * (grey - ratio[..., :3])  # colours of an iris are its own
    ratio[..., 3:] = 0
    room = np.abs(gap) - depths  # the nearer lid counts
    share = (np.clip(room / depths, 0, 1) * np.clip(room / 0.02, 0, 1))[..., None]
    ratio = _smooth(ratio * share * share) / _smooth(share + 1e-3)
    ratio[-1] = 0
    return np.exp(ratio)


def _smooth(values: FloatArray) -> FloatArray:
    """Smooth values (depths, places, C) along a lid."""
    padded = np.pad(values, ((0, 0), (2, 2), (0, 0)), mode="edge")
    kernel = np.array([1, 2, 3, 2, 1]) / 9
    return sum((k * padded[:, i : i + values.shape[1]] for i, k in enumerate(kernel)), np.zeros_like(values))


def _find_lid_skin(picture: Tensor, frame: EyeFrame, lids: Lids) -> FloatArray:
    """Find the colour of the upper lid's skin along the eye (N, C), smoothly."""
    places = np.linspace(0.1, 0.9, 17)
    edge, fold = heights_along(lids.upper, places), heights_along(lids.fold, places)
    shares = np.linspace(*LID_SKIN, 9)[:, None]
    colours = _read(picture, frame, np.stack([np.tile(places, (9, 1)), edge + shares * (fold - edge)], -1))
    order = measure_luminance(colours).argsort(0)[3:7]  # without lashes, fold, frames of glasses, and shine
    found = np.take_along_axis(colours, order[..., None], 0).mean(0)
    factors = np.linalg.lstsq(_curve(places), found, rcond=None)[0]
    return _curve(np.clip(NODES, places[0], places[-1])) @ factors


def _curve(places: FloatArray) -> FloatArray:
    """Basis (N, 3) of parabolas along the eye."""
    along = places - 0.5
    return np.stack([np.ones_like(along), along, along**2], -1)
