"""Windows of mouth and eyes: where they lie, what they show, and that they come back to where they were cut."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fadm.attributes.landmark_model import load_landmark_model
from fadm.attributes.rotation import axis_angle_to_matrix
from fadm.face.region import Region
from fadm.face.topology import EYES, INNER_LOWER_LIP, MOUTH_CORNERS
from fadm.media.crop import Square
from fadm.rendering.parts import (
    IRIS,
    LARGEST,
    LARGEST_CHANGE,
    LIPS,
    OPENING,
    WINDOW,
    cut_part,
    draw_contours,
    limit_attributes,
    native_size,
    part_regions,
    region_within,
    set_part,
)
from tests.attributes.made_up import make_attributes, make_identity, make_landmarks
from tests.reference import blob

MODEL = load_landmark_model()
TILTED = Region(120.0, 100.5, 90.0, 0.4)


def make_face(expression: float = 0.0) -> np.ndarray:
    attributes = make_attributes(1, expression=expression)
    level = replace(attributes, pose=torch.zeros(1, 6), gaze=torch.zeros(1, 4))
    return make_landmarks(MODEL, level, make_identity(MODEL))[0].numpy()


def rotate(points: np.ndarray, degrees: float) -> np.ndarray:
    turn = axis_angle_to_matrix(torch.tensor([[0, 0, np.radians(degrees)]], dtype=torch.float32))[0].numpy()
    return ((points - 128) @ turn.T + 128).astype(np.float32)


def test_the_windows_show_mouth_and_eyes_and_turn_with_the_head():
    face = make_face()
    for degrees in (0, 30):
        mouth, *eyes = part_regions(rotate(face, degrees))
        assert np.degrees(mouth.angle) == pytest.approx(degrees + np.degrees(part_regions(face)[0].angle), abs=0.1)
        for region, points in ((mouth, MOUTH_CORNERS), *zip(eyes, ([*u, *low] for u, low, _ in EYES), strict=True)):
            inside = rotate(face, degrees)[list(points), :2] - [region.x, region.y]
            assert np.abs(inside).max() < region.side / 2


def test_a_window_comes_back_to_where_it_was_cut():
    picture = blob("picture", (1, 3, 200, 240))
    view = picture.clone()
    set_part(view, TILTED, cut_part(picture, TILTED, 256))
    assert (view - picture).abs().max() < 1e-2  # resampled twice
    set_part(view, TILTED, torch.zeros(1, 3, 128, 128))
    assert view[0, :, 100, 120].max() == 0  # solid in the middle
    changed = (view != picture).any(1)[0].nonzero().float()
    away = (changed - torch.tensor([TILTED.y, TILTED.x])).norm(dim=1)
    assert 0.9 * TILTED.side / 2 < away.max() <= TILTED.side / 2 + 1  # and nothing beyond


@pytest.mark.parametrize("region", [Region(-300, 50, 80), Region(3, 3, 60, 0.3), Region(238, 198, 90)])
def test_windows_over_the_border_leave_the_rest_alone(region):
    view = torch.full((1, 3, 200, 240), 0.5)
    set_part(view, region, torch.ones(1, 3, 128, 128))
    far = torch.ones(200, 240, dtype=torch.bool)
    rows, columns = torch.meshgrid(torch.arange(200.0), torch.arange(240.0), indexing="ij")
    far &= torch.hypot(rows - region.y, columns - region.x) > region.side / 2 + 1
    assert (view[..., far] == 0.5).all()


def test_a_large_window_is_made_smaller_without_aliasing():
    stripes = (torch.arange(600) % 2).float().expand(1, 3, 600, 600)  # a pixel wide
    small = cut_part(stripes, Region(300, 300, 500), WINDOW)
    assert small.shape == (1, 3, WINDOW, WINDOW) and (small - 0.5).abs().max() < 0.1


def test_windows_keep_their_detail_up_to_a_limit():
    assert [native_size(side) for side in (20, 128.2, 300, 4000)] == [WINDOW, 129, 300, LARGEST]


def test_a_region_is_placed_in_a_view_of_a_window():
    picture, window = blob("picture", (1, 3, 200, 240)), Square(40, 20, 160)
    view = picture[..., 20:180, 40:200]
    inner = region_within(TILTED, window, 1.0)
    assert torch.allclose(cut_part(view, inner, 64), cut_part(picture, TILTED, 64), atol=1e-5)
    assert region_within(TILTED, window, 2.0).side == 2 * TILTED.side


def test_contours_show_lips_openings_and_irises():
    face = make_face()
    regions = part_regions(face)
    mouth, right, left = draw_contours(face, regions)[:, 0].numpy()
    assert {0, LIPS} <= set(np.unique(mouth)) and mouth.max() <= OPENING
    for eye in (right, left):
        assert eye.max() == IRIS and (eye == OPENING).any() and (eye > 0).mean() < 0.4
    dropped = face.copy()
    dropped[list(INNER_LOWER_LIP[1:-1]), 1] += 10
    opened = draw_contours(dropped, regions)[0, 0].numpy()
    assert (opened == OPENING).sum() > 2 * (mouth == OPENING).sum()


def test_strong_expressions_are_told_as_moderate_ones_of_the_same_kind():
    source, change = torch.ones(2, 56), torch.zeros(2, 56)
    change[0, 3], change[1, 5] = 0.5, 100
    limited = limit_attributes(source, source + change) - source
    assert limited[0, 3] == pytest.approx(0.5) and limited[1, 5] == pytest.approx(LARGEST_CHANGE)
    assert limited.count_nonzero() == 2


def test_a_closed_eye_shows_no_iris():
    face = make_face()
    for upper, lower, _ in EYES:
        face[list(upper)] = face[list(lower)]
    _, right, left = draw_contours(face, part_regions(face)).numpy()
    assert max((right == IRIS).mean(), (left == IRIS).mean()) < 0.005
