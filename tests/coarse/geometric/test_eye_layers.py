"""Eyes painted over the portrait in plain colours, driven by landmarks."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from fadm.coarse.geometric.eyes import eye_chains, heights_along, prepare_eyes
from fadm.coarse.geometric.flow import view_grid
from fadm.coarse.geometric.generator import GeometricSource, drive_source, prepare_source
from fadm.face.topology import EYES
from fadm.media.crop import Square, to_tensor
from tests.face.portraits import SIDE, read_portrait

SIZE = 384
SKIN, WHITE, DARK = 0.6, 0.95, 0.1
REGION = Square(0, 0, SIZE)
PLACES = view_grid(REGION, SIZE)


def scaled_landmarks() -> np.ndarray:
    return read_portrait().landmarks * np.float32(SIZE / SIDE)


@pytest.fixture(scope="module")
def source() -> GeometricSource:
    landmarks = scaled_landmarks()
    picture = np.full((SIZE, SIZE), SKIN, np.float32)
    for eye in prepare_eyes(to_tensor(np.zeros((SIZE, SIZE, 3), np.uint8)), landmarks):
        local = eye.frame.local(PLACES)
        above = local[..., 1] - heights_along(eye.lids.upper, local[..., 0])
        below = heights_along(eye.lids.lower, local[..., 0]) - local[..., 1]
        inside = (np.minimum(above, below) > 0) & (local[..., 0] > 0) & (local[..., 0] < 1)
        iris = landmarks[list(EYES[eye.index][2]), :2]
        radius = 0.9 * np.linalg.norm(iris[1:] - iris[0], axis=1).mean()
        share = np.clip(radius - np.linalg.norm(PLACES - iris[0], axis=-1) + 0.5, 0, 1)
        picture = np.where(inside, WHITE + share * (DARK - WHITE), picture)
    painted = torch.from_numpy(picture.astype(np.float32)).expand(1, 3, -1, -1).contiguous()
    return prepare_source(painted, landmarks, np.ones((64, 64), np.float32), REGION, REGION, SIZE)


def draw(source: GeometricSource, landmarks: np.ndarray) -> np.ndarray:
    """The frame's luminance (S, S) for new landmarks of a head at rest."""
    own = torch.from_numpy(source.landmarks)
    return drive_source(source, torch.from_numpy(landmarks), own).frame[0].mean(0).numpy()


def move(source: GeometricSource, turn: float = 0.0, closed: tuple[float, float] = (0, 0)) -> np.ndarray:
    """The frame's luminance (S, S) where the irises shift to the right and the lids close."""
    landmarks = source.landmarks.copy()
    for index, (upper, lower, iris) in enumerate(EYES):
        landmarks[list(upper)] += np.float32(closed[index]) * (landmarks[list(lower)] - landmarks[list(upper)])
        landmarks[list(iris), 0] += turn
    return draw(source, landmarks)


def around(source: GeometricSource, index: int, frame: np.ndarray) -> np.ndarray:
    """The pixels from corner to corner."""
    upper, lower, _ = eye_chains(index)
    outline = source.landmarks[upper + lower, :2]
    (left, top), (right, bottom) = outline.min(0), outline.max(0)
    return frame[int(top) - 6 : int(bottom) + 7, int(left) : int(right) + 1]


def test_eyes_that_rest_are_the_sources_to_the_bit(source):
    without = replace(source, eyes=[])
    own = torch.from_numpy(source.landmarks)
    for landmarks in (own, own + torch.tensor([4.0, -2.0, 0.0])):
        frames = [drive_source(state, landmarks, landmarks).frame for state in (source, without)]
        assert torch.equal(*frames)


@pytest.mark.parametrize("turn", [-4.0, 3.0])
def test_an_iris_is_drawn_round_where_it_was_sent(source, turn):
    """Wide open lids show all of it, more than the source does."""
    landmarks = source.landmarks.copy()
    for index, (_, _, iris) in enumerate(EYES):
        upper, lower, _ = eye_chains(index)
        landmarks[upper[1:-1], 1] -= 7
        landmarks[lower[1:-1], 1] += 7
        landmarks[list(iris), 0] += turn
    frame = draw(source, landmarks)
    for _, _, iris in EYES:
        radius = 0.9 * np.linalg.norm(landmarks[list(iris[1:]), :2] - landmarks[iris[0], :2], axis=1).mean()
        is_near = np.linalg.norm(PLACES - landmarks[iris[0], :2], axis=-1) < 1.2 * radius
        dark = PLACES[is_near & (frame < 0.45)]
        np.testing.assert_allclose(dark.mean(0), landmarks[iris[0], :2], atol=1.2)
        width, height = np.ptp(dark, axis=0) + 1
        assert width == pytest.approx(height, abs=2.1)
        assert width == pytest.approx(2 * radius, rel=0.2)


def test_closed_eyes_show_nothing_of_the_eyeball(source):
    frame = move(source, closed=(1, 1))
    for index in range(2):
        seen = around(source, index, frame)
        assert seen.max() < SKIN + 0.15
        assert np.percentile(seen, 5) > DARK + 0.2


@pytest.mark.parametrize("index", [0, 1])
def test_a_wink_leaves_the_other_eye(source, index):
    frame = move(source, closed=(1 - index, index))
    assert around(source, index, frame).max() < SKIN + 0.15
    other, own = (around(source, 1 - index, picture) for picture in (frame, source.picture[0].mean(0).numpy()))
    assert np.abs(other - own).max() < 0.01


def test_small_steps_change_little(source):
    frames = [move(source, turn=4 * t, closed=(t, 0.5 * t)) for t in np.linspace(0, 1, 51)]
    steps = [np.abs(after - before).max() for before, after in pairwise(frames)]
    assert max(steps) < 0.45 * np.ptp(frames[0])
    assert np.abs(frames[-1] - frames[0]).max() > 0.3


def test_closed_eyes_of_a_source_are_not_taken_apart():
    landmarks = scaled_landmarks()
    upper, lower, _ = eye_chains(1)
    landmarks[upper] = landmarks[lower]
    (eye,) = prepare_eyes(torch.full((1, 3, SIZE, SIZE), 0.5), landmarks)
    assert eye.index == 0


def test_drawn_eyes_are_opaque(source):
    opaque = torch.cat([source.picture, torch.ones_like(source.picture[:, :1])], 1)
    clear = prepare_source(opaque, source.landmarks, np.ones((64, 64), np.float32), REGION, REGION, SIZE)
    landmarks = torch.from_numpy(source.landmarks.copy())
    upper, lower, _ = eye_chains(0)
    landmarks[upper] += 0.6 * (landmarks[lower] - landmarks[upper])
    landmarks[list(EYES[1][2]), 0] += 3
    alpha = drive_source(clear, landmarks, torch.from_numpy(source.landmarks)).alpha
    torch.testing.assert_close(alpha, torch.ones_like(alpha), rtol=0, atol=1e-5)
