"""Paints a synthetic head where its landmarks are: triangles with texture and light, then eyes and mouth."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import pose_landmarks
from fadm.attributes.mesh_picture import vertex_normals
from fadm.attributes.rotation import axis_angle_to_matrix
from fadm.data.shards import Pixels
from fadm.data.synthetic.head import SURFACE, SyntheticHead, head_triangles, smooth_noise
from fadm.face import topology
from fadm.face.raster import interpolate, rasterize

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

OVERSAMPLING = 1.5  # pixels painted per pixel of the frame, along one axis
AMBIENT, DIFFUSE = 0.55, 0.5

WHITE_OF_EYE = np.array([0.92, 0.9, 0.88], np.float32)
PUPIL = 0.4  # of the iris' radius
INSIDE_OF_MOUTH = np.array([0.22, 0.05, 0.06], np.float32)
TEETH = np.array([0.93, 0.9, 0.82], np.float32)
TEETH_DEPTH, TEETH_LENGTH, TOOTH_WIDTH = -0.2, 0.05, 0.055  # model units; the length counts from the resting lip


def paint_background(rng: np.random.Generator, size: int) -> FloatArray:
    """Paint a still background: soft colours, a finer texture, a few edges.

    Args:
        rng: Source of all randomness.
        size: Side of the frames in pixels.

    Returns:
        RGB in 0..1 (S, S, 3), OVERSAMPLING times as large as the frames.
    """
    side = round(size * OVERSAMPLING)
    color = rng.uniform(0.15, 0.85) + rng.uniform(-0.12, 0.12, 3)
    color = color + 0.05 * np.stack([smooth_noise(rng, (4, 4), side) for _ in range(3)], -1)
    texture = 0.05 * smooth_noise(rng, (24, 24), side) + 0.03 * smooth_noise(rng, (80, 80), side)
    y, x = np.mgrid[:side, :side] / side
    for slope, offset, step in zip(rng.normal(size=3), rng.uniform(0, 1, 3), rng.normal(0, 0.08, 3), strict=True):
        color = color + step * (y > offset + slope * (x - 0.5))[..., None]
    return (color + texture[..., None]).clip(0, 1).astype(np.float32)


def paint_frame(
    head: SyntheticHead, landmarks: FloatArray, attributes: FaceAttributes, rest: FaceAttributes, background: FloatArray
) -> Pixels:
    """Paint one frame.

    Args:
        head: Who is painted.
        landmarks: Landmarks (478, 3) in pixels of the frame.
        attributes: Attributes of the frame, a batch of 1.
        rest: The pose that the shoulders keep, a batch of 1.
        background: As from `paint_background`.

    Returns:
        uint8 RGB (size, size, 3).
    """
    side = len(background)
    size = round(side / OVERSAMPLING)
    finer = np.float32(side / size)
    landmarks = _refine(landmarks, finer)
    vertices = np.concatenate([landmarks[list(SURFACE)], _refine(_pose_added(head, attributes, rest), finer)])
    triangles = head_triangles()
    light = AMBIENT + DIFFUSE * _measure_light(vertices, triangles, head.light)
    visible = _find_visible(vertices, triangles)
    triangle_index, weights = rasterize(vertices, triangles[visible], side, side)
    values = interpolate(np.column_stack([head.places, light]), triangles[visible], triangle_index, weights)
    triangle_index = np.append(visible, -1)[triangle_index]
    texture = torch.from_numpy(head.texture).permute(2, 0, 1)[None]
    is_head = triangle_index >= 0
    places = torch.from_numpy(values[is_head])[None, None]  # (1, 1, N, 3): place in the texture, light
    color = F.grid_sample(texture, places[..., :2], mode="bilinear", padding_mode="border", align_corners=False)
    picture = background.copy()
    picture[is_head] = (color[0, :, 0] * places[0, 0, :, 2]).T.numpy()

    first = len(topology.skin_triangles())
    last = first + len(topology.eye_triangles())
    _paint_eyes(picture, (triangle_index >= first) & (triangle_index < last), landmarks, head.iris)
    is_mouth = (triangle_index >= last) & (triangle_index < len(topology.surface_triangles()))
    _paint_mouth(picture, is_mouth, head, attributes, finer)
    pixels = (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return np.array(Image.fromarray(pixels).resize((size, size), Image.Resampling.BOX))


def _refine(points: FloatArray, finer: np.float32) -> FloatArray:
    """Convert points (N, 3) to pixels of a picture `finer` times as large; pixel centres lie at whole numbers."""
    half = np.array([0.5, 0.5, 0], np.float32)
    return (points + half) * finer - half


def _pose_added(head: SyntheticHead, attributes: FaceAttributes, rest: FaceAttributes) -> FloatArray:
    """Compute hair, neck and shoulders (A, 3) in pixels of the frame, between the head's pose and that of rest."""
    added = torch.from_numpy(head.added)[None]
    moving, still = (pose_landmarks(added, pose)[0].numpy() for pose in (attributes, rest))
    return still + head.follow[:, None] * (moving - still)


def _find_visible(vertices: FloatArray, triangles: IntArray) -> IntArray:
    """Find the triangles that may be visible: those with their outside to the camera, and all of eyes and mouth."""
    (x1, y1), (x2, y2) = ((vertices[triangles[:, corner]] - vertices[triangles[:, 0]])[:, :2].T for corner in (1, 2))
    is_visible = x1 * y2 < x2 * y1  # z of the outside's normal, x1 y2 - x2 y1, points to the camera
    is_visible[len(topology.skin_triangles()) : len(topology.surface_triangles())] = True
    return np.flatnonzero(is_visible)


def _measure_light(vertices: FloatArray, triangles: IntArray, light: FloatArray) -> FloatArray:
    """Compute Lambert's cosine (V,) between each vertex' normal and the light."""
    normals = vertex_normals(torch.from_numpy(vertices), torch.from_numpy(triangles)).numpy()
    return np.maximum(normals @ light, 0)


def _paint_eyes(picture: FloatArray, is_eye: NDArray[np.bool_], landmarks: FloatArray, iris_color: FloatArray) -> None:
    """Paint white, iris and pupil between the lids; irises are discs about their landmarks."""
    y, x = np.nonzero(is_eye)
    color = np.tile(WHITE_OF_EYE, (len(y), 1))
    for _, _, iris in topology.EYES:
        center = landmarks[iris[0], :2]
        radius = max(float(np.linalg.norm(landmarks[list(iris[1:]), :2] - center, axis=1).mean()), 1e-3)
        distance = np.hypot(x - center[0], y - center[1])
        for share, paint in ((1.0, iris_color), (PUPIL, 0.1 * iris_color)):
            cover = np.clip(share * radius - distance + 0.5, 0, 1)[:, None]
            color += cover * (paint - color)
    picture[y, x] = color


def _paint_mouth(
    picture: FloatArray, is_mouth: NDArray[np.bool_], head: SyntheticHead, attributes: FaceAttributes, finer: np.float32
) -> None:
    """Paint the dark inside of the mouth and the upper row of teeth, which moves with the skull."""
    y, x = np.nonzero(is_mouth)
    R = axis_angle_to_matrix(attributes.head)[0].numpy()
    scale, *origin = attributes.camera[0].numpy()
    pixels = ((np.stack([x, y], 1) + 0.5) / finer - 0.5 - np.array(origin, np.float32)) / scale
    place = np.linalg.solve(R[:2, :2], (pixels - R[:2, 2] * TEETH_DEPTH).T).T  # x and y in the head, model units
    sideways = np.abs(place[:, 0])
    lower_edge = head.shape[topology.INNER_UPPER_LIP[5], 1] + TEETH_LENGTH * (1 - 2 * sideways)
    finest = 1 / (scale * finer)  # one painted pixel in model units
    cover = np.clip((lower_edge - place[:, 1]) / finest + 0.5, 0, 1) * (sideways < 0.24)
    gap = np.abs(place[:, 0] / TOOTH_WIDTH % 1 - 0.5) * TOOTH_WIDTH  # from the middle of its tooth
    brightness = (1 - 2 * sideways) * np.where(gap > TOOTH_WIDTH / 2 - 0.006, 0.6, 1.0)
    picture[y, x] = INSIDE_OF_MOUTH + cover[:, None] * (TEETH * brightness[:, None] - INSIDE_OF_MOUTH)
