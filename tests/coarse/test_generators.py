from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fadm.animation.animator import Animator
from fadm.animation.driver import anchor_motion
from fadm.attributes.anchoring import AnchoredMotion
from fadm.attributes.landmark_model import load_landmark_model, pose_landmarks
from fadm.coarse.driver_crops import cut_anchors, cut_face, driver_windows, follow_driver
from fadm.coarse.fomm.model import FOMM
from fadm.coarse.generators import GeometricGenerator, NetworkGenerator
from fadm.coarse.source import CROP_SCALE
from fadm.errors import OptionError
from fadm.face.topology import FACE_OVAL
from fadm.media.crop import Square, cut_square, square_around, to_tensor
from fadm.media.frames import Frame
from fadm.media.reader import open_frames
from fadm.options import AnimateOptions, Gains, MotionOptions, SourceOptions
from tests.clips import BLANK, carphone_frames, portrait, write_clip
from tests.coarse import test_face_vid2vid, test_fomm
from tests.media.samples import ASTRONAUT

CPU = torch.device("cpu")
MODEL = load_landmark_model()
SIZE = 300
CLOSE = {"atol": 1e-5, "rtol": 0.0}


@pytest.fixture(scope="module")
def animator():
    return Animator(device="cpu")


@pytest.fixture(scope="module")
def crop(animator):
    return animator.prepare(ASTRONAUT, SourceOptions(crop=True, size=SIZE))


@pytest.fixture(scope="module")
def full(animator):
    return animator.prepare(ASTRONAUT, SourceOptions())


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """Two frames of a man, two without a face, two of a woman: three shots."""
    frames = [*carphone_frames()[:2], BLANK, BLANK, portrait(), np.roll(portrait(), 6, axis=1)]
    return open_frames(write_clip(tmp_path_factory.mktemp("driver") / "a.mp4", frames))


@pytest.fixture(scope="module")
def motion(animator, driver):
    return animator.read_motion(driver, MotionOptions())[0]


@pytest.fixture(scope="module")
def windows(motion):
    return driver_windows(MODEL, motion)


@pytest.fixture(scope="module")
def crops(driver, motion, windows):
    """The driver's crops (1, 3, 256, 256) by frame."""
    return {
        i: cut_face(frame.pixels, windows[int(motion.shot[i])])
        for i, frame in enumerate(driver)
        if motion.is_tracked[i]
    }


@pytest.fixture(scope="module", params=[test_fomm, test_face_vid2vid], ids=["fomm", "face_vid2vid"])
def network(request):
    return request.param.make_tiny()


def animate(network, prepared, motion, anchor_crops=None, **angles):
    anchored = AnchoredMotion(motion, {}, torch.arange(len(motion)))
    return NetworkGenerator(network, prepared, CPU).follow(anchored, anchor_crops or {}, angles)


@torch.inference_mode()
def drive_by_hand(network, prepared, driving, anchor=None, **angles):
    state = network.prepare(cut_square(to_tensor(prepared.picture), prepared.crop, 256))
    if anchor is not None:
        state = network.anchor(state, anchor)
    return network.drive(state, driving, **angles)


def test_a_shot_has_one_window_around_its_face(motion, windows):
    assert motion.shot.tolist() == [0, 0, 1, 1, 2, 2] and windows.keys() == {0, 2}
    shape = MODEL.shape(motion.identity[2:])
    oval = pose_landmarks(shape, motion.attributes[[5]])[0, list(FACE_OVAL)]
    assert driver_windows(MODEL, motion[5:])[2] == square_around(oval.numpy(), CROP_SCALE)


@pytest.mark.parametrize("index", [1, 4])
def test_a_network_draws_what_it_draws_by_hand(network, crop, motion, crops, index):
    drawn = animate(network, crop, motion).draw(index, crops[index])
    expected = drive_by_hand(network, crop, crops[index])
    assert drawn.index == index and drawn.window == drawn.crop == crop.crop and drawn.landmarks is None
    assert torch.equal(drawn.driving, crops[index]) and drawn.view.shape == (1, 3, SIZE, SIZE)
    resized = F.interpolate(expected, size=(SIZE, SIZE), mode="bicubic", align_corners=False, antialias=True)
    torch.testing.assert_close(drawn.view, resized.clamp(0, 1), **CLOSE)


def test_a_network_fills_its_window_of_the_whole_picture(network, full, motion, crops):
    drawn = animate(network, full, motion).draw(0, crops[0])
    assert drawn.window == full.crop and drawn.view.shape == (1, 3, full.crop.side, full.crop.side)


def test_relative_motion_starts_at_the_anchor_of_each_shot(network, motion, crops, crop):
    generator = animate(network, replace(crop, size=256), motion, {0: crops[1], 2: crops[4]})
    for index, anchor in ((0, 1), (1, 1), (4, 4), (5, 4)):
        expected = drive_by_hand(network, crop, crops[index], crops[anchor])
        torch.testing.assert_close(generator.draw(index, crops[index]).view, expected, **CLOSE)


def test_a_shot_without_an_anchor_is_absolute(network, motion, crops, crop):
    generator = animate(network, replace(crop, size=256), motion, {0: crops[1]})
    torch.testing.assert_close(generator.draw(4, crops[4]).view, drive_by_hand(network, crop, crops[4]), **CLOSE)


@pytest.mark.parametrize("anchor", [None, 1], ids=["absolute", "relative"])
def test_free_view_takes_the_angles(motion, crops, crop, anchor):
    network, angles = test_face_vid2vid.make_tiny(), {"yaw": 40.0, "pitch": -10.0, "roll": 5.0}
    anchors = {} if anchor is None else {0: crops[anchor]}
    prepared = replace(crop, size=256)
    drawn = animate(network, prepared, motion, anchors, **angles).draw(0, crops[0]).view
    expected = drive_by_hand(network, crop, crops[0], crops.get(anchor), **angles)
    torch.testing.assert_close(drawn, expected, **CLOSE)
    straight = animate(network, prepared, motion, anchors).draw(0, crops[0]).view
    assert float((drawn - straight).abs().max()) > 1e-3


def test_a_network_for_other_sizes_is_refused(motion, crop):
    network = FOMM(replace(test_fomm.TINY, keypoint_downsampling=16))
    with pytest.raises(OptionError, match="512"):
        animate(network, crop, motion)


def test_a_small_result_is_not_aliased(motion, crop):
    """Stripes finer than the result's pixels become grey."""

    class Stripes(torch.nn.Module):
        def prepare(self, source):
            return None

        def drive(self, state, driving):
            return (torch.arange(1, 257) % 4 < 2).float().expand(1, 3, 256, 256)

    grey = animate(Stripes(), replace(crop, size=64), motion).draw(0, torch.zeros(1, 3, 256, 256)).view
    torch.testing.assert_close(grey[..., 4:-4], torch.full((1, 3, 64, 56), 0.5), atol=0.02, rtol=0)


def test_anchors_are_cut_in_one_pass_that_ends_with_the_last(driver, windows, crops):
    shown = []

    def frames():
        for frame in driver:
            shown.append(frame)
            yield frame

    found = cut_anchors(frames(), windows, {0: 1, 2: 4})
    assert found.keys() == {0, 2} and len(shown) == 5
    assert torch.equal(found[0], crops[1]) and torch.equal(found[2], crops[4])


def test_anchors_of_shots_that_are_not_shown_are_left_out(driver, windows):
    assert cut_anchors(driver, {0: windows[0]}, {0: 1, 2: 4}).keys() == {0}


def test_a_geometric_frame_at_its_anchor_is_the_source(animator, full, motion):
    anchored = anchor_motion(MODEL, full, motion, AnimateOptions(anchor="1"))
    generator = GeometricGenerator(MODEL, full, CPU).follow(anchored, Gains())
    drawn = generator.draw(1, None)
    region = cut_square(to_tensor(full.picture), full.region)
    assert drawn.window == full.region and drawn.crop == full.crop and drawn.driving is None
    torch.testing.assert_close(drawn.landmarks[:, :2], full.face.landmarks[0, :, :2], atol=0.5, rtol=0)
    assert float((drawn.view - region).abs().mean()) < 1 / 255
    corner = torch.tensor([full.region.left, full.region.top])
    torch.testing.assert_close(drawn.flow[0, 70, 90], corner + torch.tensor([90.0, 70.0]), atol=0.5, rtol=0)
    assert float((generator.draw(0, None).view - region).abs().mean()) > 1 / 255


def test_geometric_frames_do_not_depend_on_their_order(crop, motion):
    anchored = AnchoredMotion(motion, {0: 0, 2: 4}, torch.arange(len(motion)))
    forth, back = (
        {i: GeometricGenerator(MODEL, crop, CPU).follow(anchored, Gains()).draw(i, None).view for i in order}
        for order in ((0, 1, 4, 5), (5, 4, 1, 0))
    )
    assert all(torch.equal(forth[i], back[i]) for i in forth)
    assert forth[0].shape == (1, 3, SIZE, SIZE)


def test_the_crop_is_within_the_region(full):
    crop, region = full.crop, full.region
    assert region.left < crop.left and crop.left + crop.side < region.left + region.side
    assert np.allclose(full.oval, full.face.landmarks[0, list(FACE_OVAL)])


@pytest.mark.parametrize("stand_ins", [[0, 0, 0, 3], [2, 2, 2, 1]])
def test_a_frame_without_a_face_is_stood_in_for(motion, stand_ins):
    pictures = [np.full((40, 60, 3), 10 * i, np.uint8) for i in range(4)]
    driver = [Frame(pixels, i, Fraction(i)) for i, pixels in enumerate(pictures)]
    anchored = AnchoredMotion(motion[:4], {}, torch.tensor(stand_ins))
    windows = {shot: Square(5, 5, 20) for shot in motion.shot.tolist()}
    crops = list(follow_driver(driver, windows, anchored))
    assert [round(float(crop.mean()) * 255) for crop in crops] == [10 * i for i in stand_ins]


def test_the_window_of_a_shot_holds_the_face_wherever_it_goes(motion):
    still = replace(motion, shot=torch.zeros_like(motion.shot), identity=motion.identity[:1])
    walk = torch.zeros_like(still.attributes.camera)
    walk[:, 1] = torch.arange(len(walk)) * 40.0
    walking = replace(still, attributes=replace(still.attributes, camera=still.attributes.camera[:1] + walk))
    narrow, wide = (driver_windows(MODEL, m)[0] for m in (still[:1], walking))
    assert wide.side == pytest.approx(narrow.side + float(walk[-1, 1]), abs=0.25 * narrow.side)
    assert wide.left <= narrow.left + 0.2 * narrow.side
