"""The eyeball of a source, taken apart: white without an iris, iris without lids, highlights, and the lids' shadow.

Everything lies in the frame of the eye: from its outer corner (0, 0) to its inner one (1, 0), v downwards.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]

LEFT, TOP, SIDE = -0.1, -0.6, 1.2  # the part of the eye's frame that the textures cover
UPPER_EDGE, LOWER_EDGE = 0.045, 0.03  # depth below a lid's edge up to which lashes and its shadow hide the eyeball
WHITE_BY_SKIN = 0.55  # least luminance of the white over that of the skin below the eye
GLOW = (0.04, 0.1)  # excess of light from which a texel is part of a highlight, and from which it is nothing else
CARUNCLE = 0.88  # from there to the inner corner the eyeball is reddish and darker
LESS_COLOURED = 0.3  # least share of its colour that a completed white loses: lids and lashes tint what is seen of it
NUM_RINGS = 10  # radii at which the mean colour of an iris is taken
LUMINANCE = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Iris:
    """A round iris in the frame of its eye: centre (2,), radius, and the width of its soft edge."""

    centre: FloatArray
    radius: float
    edge: float

    def cover(self, away: FloatArray, pixel: float = 0.0) -> FloatArray:
        """Share of the iris at distances from its centre, for pixels of a size in the eye's frame."""
        return np.clip((self.radius - away) / max(self.edge, 1.5 * pixel) + 0.5, 0, 1)


@dataclass(frozen=True)
class Eyeball:
    """The layers of an eyeball; pictures (T, T, C) cover the window of the eye's frame.

    Attributes:
        iris: Place of the iris.
        white: The eyeball without its iris.
        disc: Iris and pupil without highlights and without lids; continued beyond its edge.
        highlights: Light that is added within the iris and stays where it is while the eye turns.
    """

    iris: Iris
    white: FloatArray
    disc: FloatArray
    highlights: FloatArray


def texture_grid(resolution: int) -> FloatArray:
    """Make the places (T, T, 2) of a texture's texels in the frame of the eye."""
    axis = (np.arange(resolution) + 0.5) / resolution * SIDE
    return np.stack(np.meshgrid(axis + LEFT, axis + TOP), -1)


def read_texture(texture: FloatArray, places: FloatArray) -> FloatArray:
    """Read a texture (T, T, C) bilinearly at places (..., 2) of the eye's frame; beyond it, its edge is repeated."""
    size = len(texture)
    spot = np.clip((places - [LEFT, TOP]) / SIDE * size - 0.5, 0, size - 1.001)
    x, y = spot.astype(int)[..., 0], spot.astype(int)[..., 1]
    share_x, share_y = (spot % 1)[..., :1], (spot % 1)[..., 1:]
    above = texture[y, x] * (1 - share_x) + texture[y, x + 1] * share_x
    below = texture[y + 1, x] * (1 - share_x) + texture[y + 1, x + 1] * share_x
    return above * (1 - share_y) + below * share_y


def measure_luminance(colours: FloatArray) -> FloatArray:
    """Luminance (...) of colours (..., 3 or 4)."""
    return colours[..., :3] @ LUMINANCE


def find_iris(picture: FloatArray, above: FloatArray, below: FloatArray, guess: Iris) -> Iris:
    """Refine place and size of an iris: where the picture gets lighter most from its inside to its outside.

    Args:
        picture: Texture of the source (T, T, C).
        above: Depth of its texels below the upper lid (T, T).
        below: Their depth above the lower lid (T, T).
        guess: The iris by its landmarks.

    Returns:
        The iris.
    """
    light = np.stack([measure_luminance(picture), above > UPPER_EDGE, below > LOWER_EDGE / 2], -1)
    angles = np.arange(32) * (2 * np.pi / 32)
    shifts, factors = np.linspace(-0.2, 0.2, 5), np.linspace(0.7, 1.1, 9)
    y, x, factor = (values.reshape(-1, 1) for values in np.meshgrid(shifts, shifts, factors, indexing="ij"))
    centre = guess.centre + guess.radius * np.concatenate([x, y], 1)[:, None]
    arm = guess.radius * factor[..., None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    outer, inner = (read_texture(light, centre + share * arm) for share in (1.12, 0.88))
    is_seen = np.minimum(outer[..., 1:], inner[..., 1:]).min(-1)
    step = (np.clip(outer[..., 0] - inner[..., 0], -0.3, 0.3) * is_seen).sum(1) / np.maximum(is_seen.sum(1), 6)
    unlikely = 0.02 * ((x / 0.2) ** 2 + (y / 0.2) ** 2)[:, 0] + 0.02 * ((factor[:, 0] - 0.9) / 0.2) ** 2
    best = int((step - unlikely).argmax())
    return Iris(centre[best, 0], guess.radius * float(factor[best, 0]), guess.edge)


def take_apart(picture: FloatArray, above: FloatArray, below: FloatArray, iris: Iris) -> Eyeball:
    """Separate the layers of an eyeball, and complete what each hides of the next.

    Args:
        picture: Texture of the source (T, T, C).
        above: Depth of its texels below the upper lid (T, T).
        below: Their depth above the lower lid (T, T).
        iris: Place of the iris.

    Returns:
        The layers.
    """
    grid = texture_grid(len(picture))
    away = np.linalg.norm(grid - iris.centre, axis=-1) / iris.radius
    seen = (np.clip(above / UPPER_EDGE - 0.5, 0, 1) * np.clip(below / LOWER_EDGE - 0.5, 0, 1)).astype(np.float32)
    outside = (away - 1) * iris.radius / iris.edge
    white = _fit_white(picture, grid, seen * (outside > 1))
    white = _lighten(white, picture[(below < -0.15) & (below > -0.4)])
    darker = measure_luminance(white - picture) * (grid[..., 0] < CARUNCLE)  # rests of lashes, lids and iris
    own = seen * np.clip((outside - 0.5) / 2, 0, 1) * np.clip(1.5 - darker / 0.06, 0, 1)
    white = white + own[..., None] * (picture - white)
    disc, highlights = _complete_iris(picture, grid, seen, iris, away)
    return Eyeball(iris, white, disc, highlights)


def _fit_white(picture: FloatArray, grid: FloatArray, weight: FloatArray) -> FloatArray:
    """Fit the white's colour along the eye, robust against lashes and highlights."""
    used = weight > 0.2
    if used.sum() < 12:  # a narrow eye: the lightest colours that are there, and little of them
        used = np.abs(grid - [0.5, 0]).max(-1) < 0.4
        weight = np.ones_like(weight)
    along, colours, weights = grid[used][:, 0] - 0.5, picture[used], weight[used]
    basis = np.stack([np.ones_like(along), along, along**2 - 1 / 12], 1)
    light = measure_luminance(colours)
    weights = weights * np.clip((light - np.quantile(light, 0.6)) / 0.1 + 1, 0.02, 1)
    prior = np.diag([0, 0.02, 0.02]) * weights.sum()
    for _ in range(4):
        gram = (basis * weights[:, None]).T @ basis + prior
        factors = np.linalg.solve(gram, (basis * weights[:, None]).T @ colours)
        error = light - measure_luminance(basis @ factors)
        weights = weight[used] / (1 + (error / np.where(error < 0, 0.03, 0.12)) ** 2)  # darker: lashes and shadows
    reach = np.quantile(along, [0.02, 0.98])
    along = np.clip(grid[..., :1] - 0.5, *reach)
    return np.clip(np.concatenate([np.ones_like(along), along, along**2 - 1 / 12], -1) @ factors, 0, 1)


def _lighten(white: FloatArray, skin: FloatArray) -> FloatArray:
    """Make a white less coloured, and as light as an eye is beside skin (N, C) if it was hardly seen for shadows."""
    light = measure_luminance(white)[..., None]
    wanted = WHITE_BY_SKIN * np.median(measure_luminance(skin)) if len(skin) else 0.0
    missing = np.clip((wanted - light) / max(wanted, 1e-3), LESS_COLOURED, 1)
    lighter = white / np.maximum(light, 0.02) * np.maximum(light, wanted)
    lighter = lighter + missing * (np.maximum(light, wanted) - lighter)
    return np.concatenate([lighter[..., :3], white[..., 3:]], -1)


def _complete_iris(
    picture: FloatArray, grid: FloatArray, seen: FloatArray, iris: Iris, away: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Complete the iris by its mirror images and its mean colour at each radius; separate its highlights."""
    edge = 1 - 0.6 * iris.edge / iris.radius  # from there outwards the white shines through
    mean = _mean_of_rings(picture, seen, away, np.minimum(away, edge))
    arm = (grid - iris.centre) * np.minimum(1, edge / np.maximum(away, 1e-6))[..., None]
    known = np.concatenate([picture, seen[..., None]], -1)
    disc, missing = np.zeros_like(picture), np.ones_like(away)[..., None]
    for mirror in ([1, 1], [1, -1], [-1, 1], [-1, -1]):
        image = read_texture(known, iris.centre + arm * mirror)
        clean = image[..., :-1] + _find_glow(image[..., :-1], mean) * (mean - image[..., :-1])
        share = missing * image[..., -1:]
        disc, missing = disc + share * clean, missing - share
    within = np.clip((0.9 - away) / 0.1, 0, 1) * np.clip(seen * 2, 0, 1)
    highlights = np.clip(picture - mean, 0, 1) * _find_glow(picture, mean) * within[..., None]
    highlights[..., 3:] = 0
    return disc + missing * mean, highlights


def _find_glow(picture: FloatArray, mean: FloatArray) -> FloatArray:
    """Share (T, T, 1) to which a texel is a highlight: lighter than the iris usually is at its radius."""
    return np.clip((measure_luminance(picture - mean)[..., None] - GLOW[0]) / (GLOW[1] - GLOW[0]), 0, 1)


def _mean_of_rings(picture: FloatArray, seen: FloatArray, away: FloatArray, radii: FloatArray) -> FloatArray:
    """Colours (T, T, C) that an iris has at radii (T, T) on average, without its lightest and darkest parts."""
    middles, colours = [], []
    for first in np.arange(NUM_RINGS) / NUM_RINGS:
        ring = picture[(away >= first) & (away < first + 1 / NUM_RINGS) & (seen > 0.5)]
        if len(ring) >= 4:
            order = measure_luminance(ring).argsort()[len(ring) // 5 :][: max(1, len(ring) * 2 // 5)]
            middles.append(first + 0.5 / NUM_RINGS)
            colours.append(ring[order].mean(0))
    if not colours:  # hardly anything of it is seen
        middles, colours = [0.5], [np.quantile(picture[away < max(1, away.min() * 2)], 0.2, axis=0)]
    table = np.array(colours)
    return np.stack([np.interp(radii, middles, values) for values in table.T], -1)
