from collections import Counter

import numpy as np
import pytest

from fadm.attributes.landmark_model import load_landmark_model
from fadm.face import topology


def test_surface_is_skin_then_eyes_then_mouth():
    surface = topology.surface_triangles()
    assert surface.shape == (898, 3)
    np.testing.assert_array_equal(surface[:852], topology.skin_triangles())
    np.testing.assert_array_equal(surface[852:880], topology.eye_triangles())
    np.testing.assert_array_equal(surface[880:], topology.mouth_triangles())
    assert set(surface.flatten()) == set(range(topology.NUM_SURFACE))


def test_surface_is_closed_up_to_the_oval():
    edges = Counter(
        tuple(sorted(edge)) for a, b, c in topology.surface_triangles().tolist() for edge in ((a, b), (b, c), (c, a))
    )
    assert max(edges.values()) == 2
    border = {edge for edge, count in edges.items() if count == 1}
    oval = topology.FACE_OVAL
    assert border == {tuple(sorted(pair)) for pair in zip(oval, oval[1:] + oval[:1], strict=True)}


@pytest.mark.parametrize(
    ("upper", "lower"),
    [
        (topology.INNER_UPPER_LIP, topology.INNER_LOWER_LIP),
        (topology.OUTER_UPPER_LIP, topology.OUTER_LOWER_LIP),
        *[eye[:2] for eye in topology.EYES],
    ],
)
def test_chains_of_lips_and_lids_share_their_ends(upper, lower):
    assert len(upper) == len(lower)
    assert set(upper) & set(lower) == {upper[0], upper[-1]} == {lower[0], lower[-1]}


def test_names_say_where_landmarks_are():
    mean = load_landmark_model().mean
    assert mean[topology.EAR_RIGHT, 0] < mean[topology.NOSE_TIP, 0] < mean[topology.EAR_LEFT, 0]  # right is left in it
    assert mean[topology.FOREHEAD_TOP, 1] < mean[topology.NOSE_TIP, 1] < mean[topology.CHIN, 1]
    for upper, lower, iris in topology.EYES:
        lids = mean[list(upper + lower)]
        assert (mean[list(upper[1:-1]), 1] < mean[list(lower[1:-1]), 1]).all()
        assert lids[:, 0].min() < mean[iris[0], 0] < lids[:, 0].max()


def test_chains_of_different_lengths_have_nothing_between_them():
    with pytest.raises(IndexError, match="out of range"):
        topology._fill_between((0, 1, 2), (0, 2))


def test_mirror_partners_are_pairs():
    partners = topology.mirror_partners()
    assert (partners[partners] == np.arange(topology.NUM_LANDMARKS)).all()
    assert partners[topology.EAR_RIGHT] == topology.EAR_LEFT
    assert partners[topology.IRIS_RIGHT[0]] == topology.IRIS_LEFT[0]
    assert partners[topology.NOSE_TIP] == topology.NOSE_TIP
