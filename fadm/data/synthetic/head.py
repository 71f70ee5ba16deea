"""A synthetic head: the landmark model's face with hair and neck joined to it, and a texture fixed to the mesh.

Lengths are in units of the landmark model (the outer corners of the eyes are 1 apart; x right, y down, z away).
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from fadm.face import topology

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]

# The texture is three square panels, one below the other; hair and body repeat theirs mirrored on the other side.
FACE, HAIR, BODY = range(3)
PANELS, PANEL = 3, 256

EAR_DEPTH = 0.6  # z of the axis about which the face is unrolled onto its panel
OVAL_CENTER = (0.0, 0.3)
HAIR_WIDTHS = (1.06, 1.16, 1.2, 1.12, 0.85, 0.4)  # of each ring, in widths of the face's oval
HAIR_DEPTHS = (0.02, 0.15, 0.35, 0.6, 0.85, 1.0)  # the share of the way to the back of the head
HEAD_BACK = 1.5
CROWN = 1.08  # by which hair is higher than wide
# Rings of neck and shoulders from below: y, half width, half depth, how much of the head's pose they follow.
BODY_RINGS = (
    (3.4, 2.0, 0.75, 0.0),
    (2.4, 1.8, 0.7, 0.0),
    (2.0, 1.4, 0.6, 0.0),
    (1.85, 0.75, 0.5, 0.1),
    (1.7, 0.52, 0.45, 0.3),
    (1.4, 0.48, 0.42, 0.7),
    (1.0, 0.46, 0.4, 1.0),
)
NECK_DEPTH = 0.45
BODY_SIDES = 24
COLLAR = 0.62  # of the body panel: cloth begins above it, skin lies below

# The landmarks that are vertices: the face, then its oval again, where the hair's texture begins.
SURFACE = (*range(topology.NUM_SURFACE), *topology.FACE_OVAL)
BROWS = (topology.BROW_RIGHT, topology.BROW_LEFT)
NOSTRILS = ((2, 98), (2, 327))  # base of the nose and of each wing


@dataclass(frozen=True)
class SyntheticHead:
    """Shape, texture and light of one person. The mesh has V vertices: the landmarks SURFACE, then the added ones.

    Attributes:
        shape: The neutral landmarks (478, 3).
        added: Vertices of hair, then of neck and shoulders (A, 3).
        follow: Share of the head's pose that each added vertex takes (A,); the rest is the clip's resting pose.
        places: Place of each vertex in the texture (V, 2), -1..1.
        texture: RGB in 0..1 (3 * 256, 256, 3).
        iris: RGB in 0..1 (3,).
        light: Unit vector to the light (3,), in the picture's axes.
    """

    shape: FloatArray
    added: FloatArray
    follow: FloatArray
    places: FloatArray
    texture: FloatArray
    iris: FloatArray
    light: FloatArray


def make_synthetic_head(shape: FloatArray, rng: np.random.Generator) -> SyntheticHead:
    """Make a head with random colours, hair, cloth and light.

    Args:
        shape: The neutral landmarks (478, 3).
        rng: Source of all randomness.

    Returns:
        The head.
    """
    surface = shape[: topology.NUM_SURFACE]
    hair, body, follow = _hair_vertices(surface), *_body_vertices()
    face_places = _unroll_face(surface)
    places = [_place_in_panel(FACE, face_places), *_added_places()]
    skin = _draw_skin_color(rng)
    hair_color = _as_color(rng.uniform(0.08, 0.75) * np.array([1, rng.uniform(0.6, 0.95), 0.5]))
    panels = [
        _paint_face(face_places, skin, hair_color, rng),
        _paint_hair(skin, hair_color, rng),
        _paint_body(skin, rng),
    ]
    light = np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.8, 0.2), -1])
    return SyntheticHead(
        shape=shape,
        added=np.concatenate([hair, body]).astype(np.float32),
        follow=np.concatenate([np.ones(len(hair)), follow]).astype(np.float32),
        places=np.concatenate(places).astype(np.float32),
        texture=np.concatenate(panels).clip(0, 1).astype(np.float32),
        iris=_as_color(rng.uniform(0.1, 0.5, 3)),
        light=(light / np.linalg.norm(light)).astype(np.float32),
    )


@cache
def head_triangles() -> IntArray:
    """Triangles (F, 3) of every head: those of the face (skin, eyes, mouth as in `surface_triangles`), hair, body."""
    n, sides = topology.NUM_SURFACE, len(topology.FACE_OVAL)
    hair = n + np.arange((1 + len(HAIR_WIDTHS)) * sides).reshape(-1, sides)
    body = n + hair.size + np.arange(len(BODY_RINGS) * BODY_SIDES).reshape(-1, BODY_SIDES)
    return np.concatenate([topology.surface_triangles(), _join_rings(hair), _join_rings(body)])


def smooth_noise(rng: np.random.Generator, cells: tuple[int, int], size: int = PANEL) -> FloatArray:
    """Draw smooth noise.

    Args:
        rng: Source of the noise.
        cells: Rows and columns of cells over which it varies.
        size: Side of the result.

    Returns:
        Noise (size, size) of a standard deviation of 1 or a little less.
    """
    noise = Image.fromarray(rng.normal(size=cells).astype(np.float32))
    return np.asarray(noise.resize((size, size), Image.Resampling.BICUBIC))


def _hair_vertices(surface: FloatArray) -> FloatArray:
    """Compute rings from the face's oval backwards; under the chin, where there is no hair, they shrink."""
    oval = surface[list(topology.FACE_OVAL)]
    center = np.array([*OVAL_CENTER, 0], np.float32)
    is_jaw = np.clip((oval[:, 1:2] - 0.3) / 0.8, 0, 1)
    rings = []
    for width, depth in zip(HAIR_WIDTHS, HAIR_DEPTHS, strict=True):
        spread = (1 - is_jaw) * width + is_jaw * min(width, 1.0 - 0.6 * depth)
        ring = center + (oval - center) * np.concatenate([spread, spread * CROWN, 0 * spread], 1)
        ring[:, 2] = oval[:, 2] + (HEAD_BACK - oval[:, 2]) * depth
        rings.append(ring)
    return np.concatenate(rings)


def _body_vertices() -> tuple[FloatArray, FloatArray]:
    """Compute vertices of neck and shoulders (N, 3) and their share of the head's pose (N,)."""
    angles = 2 * np.pi * np.arange(BODY_SIDES) / BODY_SIDES
    rings = [
        np.stack([half_width * np.sin(angles), y + 0 * angles, NECK_DEPTH - half_depth * np.cos(angles)], 1)
        for y, half_width, half_depth, _ in BODY_RINGS
    ]
    return np.concatenate(rings), np.repeat([follow for *_, follow in BODY_RINGS], BODY_SIDES)


def _join_rings(rings: IntArray) -> IntArray:
    """Join neighbouring rings (R, N) of vertices by triangles (2 (R - 1) N, 3)."""
    here, there = rings[:-1], rings[1:]
    next_here, next_there = np.roll(here, -1, 1), np.roll(there, -1, 1)
    pairs = [(here, next_here, there), (next_here, next_there, there)]
    return np.concatenate([np.stack(corners, -1).reshape(-1, 3) for corners in pairs])


def _unroll_face(surface: FloatArray) -> FloatArray:
    """Place the face's vertices on its panel (468, 2) in 0..1: by angle about an upright axis, and by height."""
    angle = np.arctan2(surface[:, 0], EAR_DEPTH - surface[:, 2])
    low, high = surface[:, 1].min(), surface[:, 1].max()
    return np.stack([0.5 + angle / (1.1 * np.pi), 0.03 + 0.94 * (surface[:, 1] - low) / (high - low)], 1)


def _added_places() -> list[FloatArray]:
    """Place hair and body in the texture, from the top of the oval, or the front, to the far side."""
    places = []
    for panel, rings, sides in (
        (HAIR, 1 + len(HAIR_WIDTHS), len(topology.FACE_OVAL)),
        (BODY, len(BODY_RINGS), BODY_SIDES),
    ):
        across = 1 - np.abs(1 - 2 * np.arange(sides) / sides)
        along = (np.arange(rings) + 0.5) / rings
        grid = np.stack(np.meshgrid(across, along), -1).reshape(-1, 2)
        places.append(_place_in_panel(panel, 0.02 + 0.96 * grid))
    return places


def _place_in_panel(panel: int, places: FloatArray) -> FloatArray:
    """Convert places (N, 2) in 0..1 of a panel to -1..1 of the texture."""
    return np.stack([2 * places[:, 0] - 1, 2 * (panel + places[:, 1]) / PANELS - 1], 1)


def _draw_skin_color(rng: np.random.Generator) -> FloatArray:
    light, warmth = rng.uniform(0.35, 0.95), rng.uniform(0.6, 0.8)
    return _as_color([light, light * warmth, light * warmth * rng.uniform(0.7, 0.9)])


def _paint_face(places: FloatArray, skin: FloatArray, hair: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Paint skin with blotches and freckles, lips, brows, lash lines, nostrils and, for some, a fringe."""
    canvas = Image.new("RGB", (2 * PANEL, 2 * PANEL), _as_bytes(skin))  # twice as large: edges become smooth
    draw = ImageDraw.Draw(canvas)

    def outline(*chain: int) -> list[tuple[float, float]]:
        return [(x, y) for x, y in (places[list(chain)] * 2 * PANEL).tolist()]

    for x, y in rng.uniform(0, 2 * PANEL, (int(rng.integers(10, 60)), 2)).tolist():
        radius = rng.uniform(1.5, 4)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_as_bytes(skin * rng.uniform(0.6, 0.85)))
    for base, wing in NOSTRILS:
        x, y = (places[[base, wing]].mean(0) * 2 * PANEL).tolist()
        draw.ellipse((x - 8, y - 5, x + 8, y + 5), fill=_as_bytes(skin * 0.35))
    for brow in BROWS:
        draw.polygon(outline(*brow[:5], *brow[:4:-1]), fill=_as_bytes(hair * 0.7))
    for upper, lower, _ in topology.EYES:
        draw.line(outline(*lower), fill=_as_bytes(skin * 0.6), width=4)
        draw.line(outline(*upper), fill=_as_bytes(skin * 0.2), width=9)
    lips = skin * _as_color([rng.uniform(0.75, 0.95), rng.uniform(0.4, 0.65), rng.uniform(0.45, 0.7)])
    draw.polygon(outline(*topology.OUTER_UPPER_LIP, *topology.OUTER_LOWER_LIP[-2:0:-1]), fill=_as_bytes(lips))
    draw.line(outline(*topology.INNER_UPPER_LIP), fill=_as_bytes(lips * 0.5), width=4)
    if rng.random() < 0.4:
        _paint_fringe(draw, hair, rng)
    panel = np.asarray(canvas.reduce(2), np.float32) / 255
    blotches = 0.07 * smooth_noise(rng, (6, 6)) + 0.04 * smooth_noise(rng, (24, 24))
    grain = 0.03 * smooth_noise(rng, (96, 96))
    blush = _as_color([0.02, -0.01, -0.01]) * smooth_noise(rng, (5, 5))[..., None]
    return panel * (1 + blotches + grain)[..., None] + blush


def _paint_fringe(draw: ImageDraw.ImageDraw, hair: FloatArray, rng: np.random.Generator) -> None:
    """Paint hair over the forehead with a random edge."""
    x = np.linspace(0, 2 * PANEL, 12)
    y = 2 * PANEL * (0.1 + rng.uniform(0, 0.06) + 0.02 * rng.normal(size=12))
    edge = list(zip(x.tolist(), y.tolist(), strict=True))
    draw.polygon([(0, 0), *edge, (2 * PANEL, 0)], fill=_as_bytes(hair))


def _paint_hair(skin: FloatArray, hair: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Paint strands from the top of the oval down to where the hair ends, and skin below."""
    strands = 0.25 * smooth_noise(rng, (3, 64)) + 0.15 * smooth_noise(rng, (8, 8))
    ends = rng.uniform(0.4, 0.9) + 0.03 * smooth_noise(rng, (12, 2)).mean(1)
    is_hair = np.linspace(0, 1, PANEL)[None, :] < ends[:, None]
    return np.where(is_hair[..., None], hair * (1 + strands)[..., None], skin * 0.9)


def _paint_body(skin: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Paint cloth with stripes below the collar and skin above; the panel's first row is the body's lowest."""
    down, across = np.meshgrid(np.linspace(0, 1, PANEL), np.linspace(0, 1, PANEL), indexing="ij")
    waves = np.sin(2 * np.pi * (rng.uniform(3, 12) * across + rng.uniform(3, 12) * down))
    cloth = rng.uniform(0.1, 0.9, 3) + rng.uniform(-0.2, 0.2, 3) * np.tanh(3 * waves)[..., None]
    cloth = cloth * (1 + 0.1 * smooth_noise(rng, (12, 12)))[..., None]
    neck = skin * (0.9 + 0.06 * smooth_noise(rng, (8, 8)))[..., None]
    return np.where((down < COLLAR + 0.05 * across)[..., None], cloth, neck)


def _as_color(channels: ArrayLike) -> FloatArray:
    return np.asarray(channels, np.float32)


def _as_bytes(color: FloatArray) -> tuple[int, int, int]:
    r, g, b = (np.clip(color, 0, 1) * 255).round().astype(int).tolist()
    return r, g, b
