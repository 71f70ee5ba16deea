from types import SimpleNamespace

import numpy as np
import torch

from fadm.coarse.geometric.contours import Folds, find_folds, find_tears, measure_depth, mend_tears
from fadm.coarse.geometric.flow import flow_of_mesh, upsample, view_grid
from fadm.coarse.geometric.flow import sample as sample_picture
from fadm.coarse.geometric.generator import drive_source, prepare_source
from fadm.coarse.geometric.mesh import shared_edges
from fadm.face import topology
from fadm.media.crop import Square
from tests.face.portraits import SIDE, read_portrait

NO_FOLDS = Folds(*(np.zeros((0, 2), np.float32) for _ in range(3)))
VIEW = Square(0, 0, 64)
# A strip whose left part lies behind its right part once it is folded along a slanting line.
STRIP = np.array([[0, 0, 0], [0, 64, 0], [24, 0, 0], [40, 64, 0], [64, 0, 0], [64, 64, 0]], np.float32)
TRIANGLES = np.array([[0, 1, 2], [1, 3, 2], [2, 3, 4], [3, 5, 4]])


def fold_strip() -> np.ndarray:
    """The strip's vertices (6, 3): its left part is laid from the fold to the right border, behind the other part."""
    moved = STRIP.copy()
    moved[[0, 1], 0], moved[[0, 1], 2] = 64, 10
    return moved


def test_tears_are_where_the_flow_jumps():
    displacement = np.zeros((8, 8, 2), np.float32)
    displacement[:, 5:, 0] = 10
    is_torn = find_tears(displacement, cell=2.0)
    assert is_torn.shape == (7, 7)
    np.testing.assert_array_equal(is_torn, np.broadcast_to(np.arange(7) == 4, (7, 7)))
    turned = np.deg2rad(30) * np.stack(np.meshgrid(np.arange(8), -np.arange(8)), -1)[..., ::-1] * 2.0
    assert not find_tears(turned.astype(np.float32), cell=2.0).any()


def test_a_tear_without_a_fold_mixes_the_colours_of_its_sides():
    """Black flows in from the left, white from the right; a grey picture lies between them."""
    picture = torch.full((1, 3, 16, 48), 0.5)
    picture[..., :16], picture[..., 32:] = 0.0, 1.0
    displacement = np.zeros((16, 16, 2), np.float32)
    displacement[:, 8:, 0] = 32
    view = Square(0, 0, 16)
    still = view_grid(view, 32)
    frame = torch.full((1, 3, 32, 32), 0.5)
    is_torn = find_tears(displacement, cell=1.0)
    mend_tears(frame, picture, (0, 0), still, view_grid(view, 16), displacement, is_torn, NO_FOLDS)
    torn = frame[0, 0, 16]
    place = still[16, :, 0]
    is_torn = torch.from_numpy((place >= 7) & (place < 8))
    np.testing.assert_allclose(torn[is_torn], place[is_torn.numpy()] - 7, atol=1e-5)
    assert (torn[~is_torn] == 0.5).all()


def test_depth_is_the_distance_from_the_nearest_fold():
    start, end = np.array([[0, 0], [10, 0]], np.float32), np.array([[10, 0], [10, 10]], np.float32)
    folds = Folds(start, end, np.array([[0, 3], [-1, 0]], np.float32))
    points = np.array([[4, 2], [4, -2], [7, 8], [13, 8], [-3, 1e-3]], np.float32)
    np.testing.assert_allclose(measure_depth(points, folds), [2, -2, 3, -3, 3], atol=1e-3)


def test_a_fold_is_found_where_the_mesh_turns_back():
    mesh = SimpleNamespace(triangles=TRIANGLES, edges=shared_edges(TRIANGLES))
    assert {frozenset(edge) for edge in mesh.edges[:, :2].tolist()} == {frozenset(e) for e in [(1, 2), (2, 3), (3, 4)]}
    moved = fold_strip()
    field = flow_of_mesh(STRIP, moved, TRIANGLES, VIEW, view_grid(VIEW, 32))
    folds = find_folds(moved, mesh, field, np.ones((31, 31), bool))
    assert {tuple(folds.start[0]), tuple(folds.end[0])} == {(24, 0), (40, 64)} and len(folds.start) == 1
    assert folds.inwards[0] @ [1, 0] > 0


def test_an_outline_is_cut_to_a_part_of_a_pixel():
    """White right of a slanting fold, black left of it, where nothing is drawn: each row has its share of white."""
    picture = torch.zeros(1, 1, 64, 64)
    picture[..., 44:] = 1  # shown by the front at its left edge
    displacement = np.zeros((32, 32, 2), np.float32)
    still, cells = view_grid(VIEW, 128), view_grid(VIEW, 32)
    border = 20 + 16 * (cells[..., 1] + 0.5) / 64
    displacement[cells[..., 0] > border, 0] = 24
    frame = sample_picture(picture, torch.from_numpy(still)[None] + upsample(displacement, 128).permute(0, 2, 3, 1))
    folds = Folds(*np.array([[[20, -0.5]], [[36, 63.5]], [[64, -16]]], np.float32))
    mend_tears(frame, picture, (0, 0), still, cells, displacement, find_tears(displacement, cell=2.0), folds)
    edge = 59.5 - frame[0, 0, :, :120].sum(1).numpy() / 2  # pixels of half the size; white up to the last one
    expected = 20 + 16 * (still[:, 0, 1] + 0.5) / 64
    np.testing.assert_allclose(edge[8:-8], expected[8:-8], atol=0.2)


def turn_head(landmarks: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]], np.float32)
    return (landmarks - landmarks.mean(0)) @ turn.T + landmarks.mean(0)


def test_the_cheek_of_a_turned_head_has_no_steps():
    portrait = read_portrait()
    landmarks, whole = portrait.landmarks, Square(0, 0, SIDE)
    person = (portrait.person > 0.5).astype(np.float32)
    picture = torch.from_numpy(person)[None, None].repeat(1, 3, 1, 1)
    source = prepare_source(picture, landmarks, person, whole, whole, 2 * SIDE)
    turned = torch.from_numpy(turn_head(landmarks, 15))
    frame = drive_source(source, turned, turned).frame[0, 0].numpy()
    rows = np.arange(int(2 * turned[132, 1]) + 6, int(2 * turned[topology.MOUTH_CORNERS[0], 1]) + 8)  # below the ear
    cheek = frame[rows, : int(2 * turned[topology.NOSE_TIP, 0])].sum(1)
    assert np.abs(np.diff(cheek)).max() > 0.2  # it slants
    assert np.abs(np.diff(cheek, 2)).max() < 0.25
