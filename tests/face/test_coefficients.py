import numpy as np
import pytest

from fadm.blendshapes import BLENDSHAPES, mirror_blendshape
from fadm.face.coefficients import estimate_blendshapes
from fadm.face.topology import LOWER_LID_LEFT, UPPER_LID_LEFT, mirror_partners
from tests.face.portraits import read_portrait

LEFT, RIGHT = (BLENDSHAPES.index(f"eyeBlink{side}") for side in ("Left", "Right"))


def turned(landmarks: np.ndarray, degrees: float) -> np.ndarray:
    """Landmarks as a picture that is turned clockwise shows them."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    result = landmarks.copy()
    result[:, :2] = landmarks[:, :2] @ np.array([[cos, sin], [-sin, cos]], np.float32)
    return result


def test_a_smile_is_seen_and_the_tongue_is_not():
    coefficients = estimate_blendshapes(read_portrait().landmarks)
    assert coefficients.shape == (52,) and coefficients.dtype == np.float32
    assert coefficients.min() >= 0 and coefficients.max() <= 1
    named = dict(zip(BLENDSHAPES, coefficients.tolist(), strict=True))
    assert min(named["mouthSmileLeft"], named["mouthSmileRight"]) > 0.5 > named["eyeBlinkLeft"]
    assert named["tongueOut"] == 0


@pytest.mark.parametrize("degrees", [20, 90, 180, 270])
def test_the_roll_of_the_head_changes_nothing(degrees):
    landmarks = read_portrait().landmarks
    change = estimate_blendshapes(turned(landmarks, degrees)) - estimate_blendshapes(landmarks)
    assert np.abs(change).max() < 0.02


def test_place_and_size_of_the_face_change_nothing():
    landmarks = read_portrait().landmarks
    np.testing.assert_allclose(estimate_blendshapes(3 * landmarks + 100), estimate_blendshapes(landmarks), atol=0.02)


def test_a_mirrored_wink_is_a_wink_of_the_other_eye():
    landmarks = read_portrait().landmarks.copy()
    landmarks[list(UPPER_LID_LEFT)] = landmarks[list(LOWER_LID_LEFT)]
    mirrored = landmarks[mirror_partners()] * np.array([-1, 1, 1], np.float32)
    order = [BLENDSHAPES.index(mirror_blendshape(name)) for name in BLENDSHAPES]
    wink, other = estimate_blendshapes(landmarks), estimate_blendshapes(mirrored)
    assert wink[LEFT] > wink[RIGHT] + 0.3 and other[RIGHT] > other[LEFT] + 0.3
    assert np.abs(other[order] - wink).max() < 0.2 and np.abs(other[order] - wink).mean() < 0.03
