from dataclasses import replace

import torch

from fadm.attributes.coefficients import build_faces, motion_blendshapes, see_blendshapes
from fadm.attributes.landmark_model import load_landmark_model
from fadm.attributes.motion import make_still_motion
from fadm.blendshapes import NUM_BLENDSHAPES
from tests.attributes.made_up import make_attributes, make_identity, make_landmarks

MODEL = load_landmark_model()
FACES, IDENTITY = make_attributes(3, seed=1, expression=0.5), make_identity(MODEL, seed=1)


def test_faces_are_built_as_a_tracker_sees_them():
    torch.testing.assert_close(build_faces(FACES, IDENTITY, MODEL), make_landmarks(MODEL, FACES, IDENTITY))


def test_a_motion_without_coefficients_has_those_of_its_faces():
    motion = make_still_motion([FACES[[i]] for i in range(3)], IDENTITY)
    motion = replace(motion, is_tracked=torch.tensor([True, False, True]))
    found = motion_blendshapes(motion, MODEL)
    assert found.shape == (3, NUM_BLENDSHAPES) and not found[1].any()
    torch.testing.assert_close(found[[0, 2]], see_blendshapes(make_landmarks(MODEL, FACES[[0, 2]], IDENTITY)))


def test_a_motion_keeps_its_own_coefficients():
    own = torch.rand(3, NUM_BLENDSHAPES)
    motion = replace(make_still_motion([FACES[[i]] for i in range(3)], IDENTITY), blendshapes=own)
    assert motion_blendshapes(motion, MODEL) is own
