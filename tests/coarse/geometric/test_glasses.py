import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from fadm.animation.animator import Animator
from fadm.attributes.anchoring import AnchoredMotion
from fadm.attributes.directions import change_attributes
from fadm.attributes.motion import make_still_motion
from fadm.coarse.generators import GeometricGenerator
from fadm.coarse.geometric.glasses import find_glasses, frame_shares
from fadm.controls import FaceControls
from fadm.face import topology
from fadm.media.crop import to_tensor
from fadm.media.image import read_image
from fadm.options import Gains, SourceOptions
from tests.clips import GRACE_HOPPER
from tests.face.portraits import read_portrait, track_picture
from tests.media.samples import ASTRONAUT

BROWS = list(topology.BROW_RIGHT + topology.BROW_LEFT)


def put_on_glasses(pixels: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Draw two dark rims and a bridge onto a face."""
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    ends = []
    for upper, lower, _ in topology.EYES:
        x, y = landmarks[list(upper + lower), :2].mean(0)
        radius = 0.75 * np.linalg.norm(landmarks[upper[0], :2] - landmarks[upper[-1], :2])
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=(20, 20, 20), width=3)
        ends.append((x, y, radius))
    (x0, y0, r0), (x1, y1, r1) = sorted(ends)
    draw.line([x0 + r0, y0, x1 - r1, y1], fill=(20, 20, 20), width=4)
    return np.array(picture)


def test_glasses_are_found_where_they_are_worn():
    portrait = read_portrait()
    assert find_glasses(to_tensor(portrait.pixels), portrait.landmarks) == 0
    worn = put_on_glasses(portrait.pixels, portrait.landmarks)
    assert find_glasses(to_tensor(worn), portrait.landmarks) == 1
    hopper = read_image(GRACE_HOPPER)
    assert find_glasses(to_tensor(hopper), track_picture(hopper)[0]) == 1


def test_an_even_or_black_picture_has_no_glasses():
    landmarks = read_portrait().landmarks
    for brightness in (0.0, 0.5):
        assert find_glasses(torch.full((1, 3, 256, 256), brightness), landmarks) == 0


def test_frames_hold_brows_but_neither_lids_nor_mouth():
    shares = frame_shares(read_portrait().landmarks)
    assert shares.shape == (topology.NUM_LANDMARKS,) and shares.min() >= 0 and shares.max() == 1
    assert shares[BROWS].mean() > 0.7
    for upper, lower, iris in topology.EYES:
        assert not shares[list(upper + lower + iris)].any()
    assert not shares[list(topology.OUTER_LOWER_LIP)].any()


@pytest.mark.parametrize("has_glasses", [True, False])
def test_raised_brows_do_not_bend_glasses(has_glasses):
    pixels = read_image(GRACE_HOPPER if has_glasses else ASTRONAUT)
    animator = Animator(device="cpu")
    prepared = animator.prepare(pixels, SourceOptions(crop=True))
    face = prepared.face
    raised = change_attributes(animator.model, face.attributes, face.canonical, FaceControls(brows_up=1, blink_left=1))
    motion = make_still_motion([face.attributes, raised], face.identity)
    generator = GeometricGenerator(animator.model, prepared, torch.device("cpu"))
    landmarks, carried = generator.follow(AnchoredMotion(motion, {0: 0}, torch.arange(2)), Gains()).move(1)
    went = (landmarks - carried)[:, :2].norm(dim=1) / np.ptp(prepared.oval[:, 1])
    assert (went[BROWS].mean() < 0.01) == has_glasses
    assert went[list(topology.UPPER_LID_LEFT[2:7])].mean() > 0.01  # the eye closes behind them
