"""The geometric coarse generator: prepare a source once, then drive it with moved landmarks."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.coarse.geometric.background import Layers, split_layers
from fadm.coarse.geometric.contours import find_folds, find_tears, mend_tears
from fadm.coarse.geometric.eye_layers import draw_eyes
from fadm.coarse.geometric.eyes import Eye, eye_chains, prepare_eyes
from fadm.coarse.geometric.flow import (
    FIRST_EYE_TRIANGLE,
    FIRST_MOUTH_TRIANGLE,
    MeshFlow,
    apply_affine,
    fit_affine,
    flow_of_mesh,
    sample,
    upsample,
    view_grid,
)
from fadm.coarse.geometric.glasses import find_glasses, frame_shares
from fadm.coarse.geometric.hidden import HiddenSide, find_hidden_side, show_hidden_side
from fadm.coarse.geometric.interior import MouthInterior, paint_mouth_interior
from fadm.coarse.geometric.mesh import SourceMesh, build_source_mesh
from fadm.face import topology
from fadm.media.crop import Square

FloatArray = NDArray[np.float32]

GRID_RANGE = (128, 384)  # fewest and most points along each axis of the flow's grid
MOUTH_FRAME = (78, 308, 13, 0, 2, 164, 61, 291)  # landmarks around the upper teeth
LID_SHARE = 0.08  # widths of the iris over which the lid changes into the eyeball
LIPS_APART = 0.06  # change of the lips' opening, in widths of the mouth, from which the interior is fully visible
LIP_FOLLOW = 0.7  # share of the upper lip's motion against the skull that also moves the teeth


@dataclass(frozen=True)
class GeometricSource:
    """A prepared source.

    Attributes:
        picture: The source (1, 3, H, W), or (1, 4, H, W) with its alpha, which moves like a further colour.
        landmarks: Its landmarks (478, 3), in its pixels.
        mesh: The mesh that carries it.
        layers: Its person and its background.
        held: Share of each landmark (478, 1) that glasses hold: it moves with the head alone.
        mouth: The interior of its mouth.
        eyes: Its open eyes, taken apart.
        hidden: The side of the face that it hides, or None.
        view: The window that is rendered.
        pixels: Places of the result's pixels in the picture (S, S, 2).
        cells: Places of the points at which the flow is computed (G, G, 2).
    """

    picture: Tensor
    landmarks: FloatArray
    mesh: SourceMesh
    layers: Layers
    held: Tensor
    mouth: MouthInterior
    eyes: list[Eye]
    hidden: HiddenSide | None
    view: Square
    pixels: FloatArray
    cells: FloatArray


@dataclass(frozen=True)
class CoarseFrame:
    """A warped frame.

    Attributes:
        frame: The picture (1, 3, S, S).
        flow: The place in the source that each pixel shows (1, S, S, 2), in its pixels.
        confidence: How reliable the detail of each pixel is (1, 1, S, S), in [0, 1].
        alpha: The warped alpha (1, 1, S, S) in [0, 1], if the source has one.
    """

    frame: Tensor
    flow: Tensor
    confidence: Tensor
    alpha: Tensor | None = None


def prepare_source(
    picture: Tensor, landmarks: FloatArray, person: FloatArray, region: Square, view: Square, size: int
) -> GeometricSource:
    """Compute what all frames share.

    Args:
        picture: The source (1, 3, H, W), or (1, 4, H, W) with alpha; the colours are then those over white.
        landmarks: Its landmarks (478, 3), in its pixels.
        person: Probability of person (P, P) over the region.
        region: The window that may move.
        view: The window that is rendered.
        size: Pixels along each side of the result.

    Returns:
        The prepared source.
    """
    mesh = build_source_mesh(landmarks, person, region)
    layers = split_layers(picture, torch.from_numpy(person)[None, None].to(picture), region, view, size)
    held = torch.from_numpy(find_glasses(picture[:, :3], landmarks) * frame_shares(landmarks))[:, None]
    mouth = paint_mouth_interior(picture[:, :3], landmarks)
    cells = view_grid(view, int(np.clip(size // 2, *GRID_RANGE)))
    hidden = find_hidden_side(picture[:, :3], landmarks)
    if picture.shape[1] > 3:  # the mouth is opaque, and no light changes alpha
        mouth = replace(mouth, picture=_add_ones(mouth.picture))
        hidden = hidden and replace(hidden, tone=_add_ones(hidden.tone))
    eyes = prepare_eyes(picture, landmarks)
    if hidden is not None:  # of an eye that is hidden, its mirror image is shown
        eyes = [eye for eye in eyes if hidden.share[eye_chains(eye.index)[0]].mean() < 0.5]
    return GeometricSource(
        picture, landmarks, mesh, layers, held, mouth, eyes, hidden, view, view_grid(view, size), cells
    )


def drive_source(source: GeometricSource, landmarks: Tensor, carried: Tensor) -> CoarseFrame:
    """Warp the source to new landmarks.

    Args:
        source: The prepared source.
        landmarks: New landmarks (478, 3), in the source's pixels.
        carried: The source's landmarks (478, 3) moved by the head's motion alone, without expression.

    Returns:
        The warped frame.
    """
    mesh = source.mesh
    moved = mesh.move(landmarks, carried).numpy()
    field = flow_of_mesh(mesh.vertices.numpy(), moved, mesh.triangles, source.view, source.cells)
    displacement = _turn_eyeballs(source, field, landmarks.numpy(), carried.numpy())
    is_open = _is_between(field, FIRST_MOUTH_TRIANGLE, len(topology.mouth_triangles()))
    revealed = _reveal_mouth(landmarks.numpy(), carried.numpy()) if is_open.any() else 0.0
    cell = source.view.side / len(source.cells)
    rigidity = measure_confidence(displacement, cell) * (1 - 0.9 * revealed * is_open)
    fields = upsample(np.dstack([displacement, rigidity]), len(source.pixels))
    layers, is_torn = source.layers, find_tears(displacement, cell)
    person = layers.move_person(fields[:, :2])
    folds = find_folds(moved, mesh, field, is_torn)
    mend_tears(person, layers.person, layers.corner, source.pixels, source.cells, displacement, is_torn, folds)
    frame, confidence = layers.compose(person, fields[:, 2:])
    if source.hidden is not None:
        frame = show_hidden_side(source.hidden, frame, source.picture, field, mesh, moved, source.cells, source.pixels)
    draw_eyes(source.eyes, frame, source.picture, source.pixels, source.view, landmarks.numpy(), carried.numpy())
    if revealed:
        _show_mouth(source, frame, is_open, revealed, landmarks.numpy(), carried.numpy())
    flow = torch.from_numpy(source.pixels)[None] + fields[:, :2].permute(0, 2, 3, 1)
    return CoarseFrame(frame[:, :3], flow, confidence, frame[:, 3:] if frame.shape[1] > 3 else None)


def _add_ones(colours: Tensor) -> Tensor:
    """Add a channel of ones: (1, 3, H, W) -> (1, 4, H, W)."""
    return torch.cat([colours, torch.ones_like(colours[:, :1])], 1)


def _is_between(field: MeshFlow, first: int, count: int) -> NDArray[np.bool_]:
    return (field.triangle_index >= first) & (field.triangle_index < first + count)


def _turn_eyeballs(source: GeometricSource, field: MeshFlow, landmarks: FloatArray, carried: FloatArray) -> FloatArray:
    """Between the lids show the eyeball, moved by the skull and turned by the gaze, instead of stretching it."""
    displacement = field.displacement.copy()
    per_eye = len(topology.eye_triangles()) // 2
    for i, (upper, lower, iris) in enumerate(topology.EYES):
        rows, columns = np.nonzero(_is_between(field, FIRST_EYE_TRIANGLE + i * per_eye, per_eye))
        if not len(rows):
            continue
        ring = list(upper + lower)
        back = fit_affine(carried[ring], source.landmarks[ring])
        center, own = carried[iris[0], :2], source.landmarks[iris[0], :2]
        radius = np.linalg.norm(source.landmarks[list(iris[1:]), :2] - own, axis=1).mean()
        points = source.cells[rows, columns]
        turned = (landmarks[iris[0], :2] - center) @ back[:2]
        place = apply_affine(points, back)
        away = np.linalg.norm(place - turned - own, axis=1) / (2.2 * radius)
        place = place - turned * np.clip(1.5 - away, 0, 1)[:, None]
        widening = _height(landmarks, upper, lower) / _height(source.landmarks, upper, lower)
        depth = _depth_inside(source.landmarks, upper, lower, place)[:, None]
        within = np.clip(depth / (LID_SHARE * 2 * radius), 0, 1) * _falling(widening, 1.0, 1.25)
        displacement[rows, columns] += within * (place - points - displacement[rows, columns])
    return displacement


def _height(landmarks: FloatArray, upper: tuple[int, ...], lower: tuple[int, ...]) -> float:
    """Mean distance of the lids in pixels, never 0."""
    return max(float(np.linalg.norm(landmarks[list(upper), :2] - landmarks[list(lower), :2], axis=1).mean()), 1e-3)


def _falling(value: float, start: float, end: float) -> float:
    """Fall from 1 at the start to 0 at the end."""
    return float(np.clip((end - value) / (end - start), 0, 1))


def _depth_inside(
    landmarks: FloatArray, upper: tuple[int, ...], lower: tuple[int, ...], points: FloatArray
) -> FloatArray:
    """Pixels by which points (..., 2) lie inside the opening between two lids or lips, negative outside."""
    start, end = landmarks[upper[0], :2], landmarks[upper[-1], :2]
    across = (end - start) / np.linalg.norm(end - start)
    down = np.array([-across[1], across[0]])
    if (landmarks[list(lower), :2] - landmarks[list(upper), :2]).sum(0) @ down < 0:
        down = -down
    u, v = (points - start) @ across, (points - start) @ down
    top, bottom = ((landmarks[list(lid), :2] - start) for lid in (upper, lower))
    above = v - np.interp(u, top @ across, top @ down)
    below = np.interp(u, bottom @ across, bottom @ down) - v
    return np.minimum(above, below).astype(np.float32)


def _reveal_mouth(landmarks: FloatArray, carried: FloatArray) -> float:
    """Weight of the mouth's interior against the stretched source: 0 while the lips open as in the source, up to 1."""
    upper, lower = list(topology.INNER_UPPER_LIP), list(topology.INNER_LOWER_LIP)
    width = np.linalg.norm(carried[upper[0], :2] - carried[upper[-1], :2])
    change = (landmarks[lower] - landmarks[upper]) - (carried[lower] - carried[upper])
    return float(np.clip(np.linalg.norm(change[:, :2], axis=1).max() / (LIPS_APART * width), 0, 1))


def _show_mouth(
    source: GeometricSource,
    frame: Tensor,
    is_open: NDArray[np.bool_],
    revealed: float,
    landmarks: FloatArray,
    carried: FloatArray,
) -> None:
    """Blend the mouth's interior into the frame (1, 3, S, S), in place; is_open (G, G): where the mouth is open."""
    cell = len(source.pixels) / len(source.cells)
    rows, columns = (np.nonzero(is_open.any(axis))[0] for axis in (1, 0))
    top, left = (max(0, math.floor((first - 1) * cell)) for first in (rows[0], columns[0]))
    bottom, right = (math.ceil((last + 2) * cell) for last in (rows[-1], columns[-1]))
    lip = list(topology.INNER_UPPER_LIP)
    follow = LIP_FOLLOW * (landmarks[lip] - carried[lip]).mean(0)
    back = fit_affine(carried[list(MOUTH_FRAME)] + follow, source.landmarks[list(MOUTH_FRAME)])
    pixels = source.pixels[top:bottom, left:right]
    place = apply_affine(pixels, back)
    mouth = source.mouth
    corner = np.array([mouth.window.left, mouth.window.top], np.float32)
    scale = mouth.picture.shape[-1] / mouth.window.side
    behind = sample(mouth.picture, torch.from_numpy((place - corner + 0.5) * np.float32(scale) - 0.5)[None])
    depth = _depth_inside(landmarks, topology.INNER_UPPER_LIP, topology.INNER_LOWER_LIP, pixels)
    share = revealed * np.clip(depth * len(source.pixels) / source.view.side + 0.5, 0, 1)  # edges one pixel soft
    frame[..., top:bottom, left:right].lerp_(behind, torch.from_numpy(share)[None, None].to(frame.device))


def measure_confidence(displacement: FloatArray, cell: float) -> FloatArray:
    """Measure how reliable the flow is: 1 where it is rigid, 0 where it folds or magnifies by 3.

    The smaller singular value of the backward flow's Jacobian is the inverse of the largest magnification.

    Args:
        displacement: Flow (G, G, 2) in pixels.
        cell: Pixels between grid points.

    Returns:
        Confidence (G, G) in [0, 1].
    """
    dy, dx = map(np.asarray, np.gradient(displacement, cell, axis=(0, 1)))
    a, b, c, d = 1 + dx[..., 0], dy[..., 0], dx[..., 1], 1 + dy[..., 1]
    half_sum = np.sqrt((a + d) ** 2 + (c - b) ** 2) / 2
    half_difference = np.sqrt((a - d) ** 2 + (c + b) ** 2) / 2
    smallest = half_sum - half_difference  # signed: negative where the flow folds
    return np.clip((smallest - 1 / 3) / (0.8 - 1 / 3), 0, 1).astype(np.float32)
