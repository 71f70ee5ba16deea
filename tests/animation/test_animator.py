from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from fadm import AnimateOptions, Animator
from fadm.animation.driver import anchor_motion
from fadm.animation.enhancement import find_portrait
from fadm.controls import FaceControls
from fadm.errors import FaceError, InputError, OptionError
from fadm.face.tracker import FaceTracker, TrackedFace
from fadm.media.image import read_image
from fadm.media.reader import open_frames
from fadm.options import EditOptions, Gains, MotionOptions, SourceOptions
from tests.clips import BLANK, carphone_frames, portrait, write_clip
from tests.media.samples import ASTRONAUT

SMALL = AnimateOptions(crop=True, size=64)


@pytest.fixture(scope="module")
def animator():
    return Animator(device="cpu")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", carphone_frames())


@pytest.fixture(scope="module")
def prepared(animator):
    return animator.prepare(ASTRONAUT, SMALL)


@pytest.fixture(scope="module")
def motion(animator, clip):
    return animator.read_motion(open_frames(clip), MotionOptions())[0]


def test_frames_follow_the_driver(animator, clip):
    frames = list(animator.animate(ASTRONAUT, clip, SMALL))
    assert len(frames) == 8 and all(f.shape == (64, 64, 3) and f.dtype == np.uint8 for f in frames)
    assert all(np.abs(a.astype(int) - b).mean() > 0.1 for a, b in pairwise(frames))


def test_a_picture_given_as_pixels_is_the_same_as_its_file(animator, prepared):
    assert np.array_equal(animator.prepare(read_image(ASTRONAUT), SMALL).picture, prepared.picture)


def test_the_whole_picture_keeps_its_size_up_to_a_limit(animator):
    assert animator.prepare(ASTRONAUT, SourceOptions()).picture.shape == (512, 512, 3)
    smaller = animator.prepare(ASTRONAUT, SourceOptions(size=96))
    crop = animator.prepare(ASTRONAUT, SourceOptions()).crop
    assert smaller.crop.side == pytest.approx(96, abs=1)
    assert smaller.picture.shape[0] == pytest.approx(512 * 96 / crop.side, abs=1)


def test_face_of_the_source_by_number(animator):
    two = np.concatenate([read_image(ASTRONAUT)] * 2, 1)
    assert animator.prepare(two, SourceOptions(face="2")).crop.left > 512
    assert animator.prepare(two, SourceOptions(face="left")).crop.left < 512
    with pytest.raises(FaceError, match="source: 2 faces, choose one"):
        animator.prepare(two, SourceOptions(face="only"))


def test_mistakes_come_before_the_first_frame(animator, tmp_path, clip):
    with pytest.raises(InputError, match="is not a picture"):
        next(animator.animate(clip, clip))
    Image.fromarray(BLANK).save(tmp_path / "blank.png")
    with pytest.raises(FaceError, match=r"driver '.*blank\.png'"):
        next(animator.animate(ASTRONAUT, tmp_path / "blank.png"))
    with pytest.raises(OptionError, match="device 'abacus'"):
        Animator(device="abacus")


def test_motion_has_the_drivers_times(motion):
    assert len(motion) == 8 and bool(motion.is_tracked.all()) and len(motion.identity) == 1
    assert [pts * motion.time_base for pts in motion.pts.tolist()] == [Fraction(i, 25) for i in range(8)]


def test_anchor_frame_shows_the_source_as_it_is(animator, prepared, motion):
    anchored = anchor_motion(animator.model, prepared, motion, AnimateOptions(anchor="5"))
    assert anchored.anchors == {0: 5}
    frames = list(animator.render(prepared, anchored, replace(SMALL, renderer="none")))
    still = list(animator.render(prepared, anchored, AnimateOptions(renderer="none", **no_gains())))
    change = [np.abs(f.astype(int) - s).mean() for f, s in zip(frames, still, strict=True)]
    assert change[5] < 0.05 and min(change[:5]) > 0.1


def no_gains() -> dict[str, float]:
    return dict.fromkeys(vars(Gains()), 0.0)


def test_absolute_motion_has_no_anchor(animator, prepared, motion):
    assert anchor_motion(animator.model, prepared, motion, AnimateOptions(relative=False)).anchors == {}
    assert anchor_motion(animator.model, prepared, motion[:1], AnimateOptions()).anchors == {}
    assert anchor_motion(animator.model, prepared, motion, AnimateOptions()).anchors.keys() == {0}


def test_the_numbers_of_a_motion_are_enough_to_render_it(animator, prepared, motion, monkeypatch):
    asked = []
    anchored = anchor_motion(animator.model, prepared, motion, SMALL)

    class Pictures:
        def __iter__(self):
            asked.append("again")
            yield from open_frames(ASTRONAUT)

    frames = animator.render(prepared, anchored, SMALL, Pictures())
    assert next(frames).shape == (64, 64, 3) and asked == []


def test_the_first_frame_of_a_shot_is_steady(animator, tmp_path):
    """A tracker that has just found a face settles before its landmarks count."""
    clip = write_clip(tmp_path / "a.mp4", [portrait()] * 6)
    motion, _ = animator.read_motion(open_frames(clip), MotionOptions(smoothing=0))
    drift = (motion.attributes.expression - motion.attributes.expression[-1]).norm(dim=1)
    assert drift.max() < 1.5  # it was 5 for the first frame


def test_another_tracker_can_be_handed_in(clip):
    made = []

    class Tracker(FaceTracker):
        def __init__(self, *, is_video):
            super().__init__(is_video=is_video)
            made.append(is_video)

        def close(self):
            super().close()
            made.append("closed")

    frames = Animator(device="cpu", make_tracker=Tracker).animate(ASTRONAUT, clip, replace(SMALL, end=0.08))
    assert len(list(frames)) == 2 and made == [False, "closed", True, "closed"]


def test_the_portrait_of_an_animation_is_the_face_that_moves(animator, clip, motion):
    """A small face beside it, which only a thorough search finds, is not."""
    (tracked,) = FaceTracker(is_video=False).track(carphone_frames()[0])
    face = tracked.landmarks
    bystander = TrackedFace(0.3 * face + np.array([2, 2, 0], np.float32), number=1)

    class Tracker(FaceTracker):
        def track(self, pixels):
            return [bystander, tracked]

    video = open_frames(clip)
    portrait = find_portrait(Animator(device="cpu", make_tracker=Tracker), video, motion)
    assert np.abs(portrait.face.landmarks[0].numpy() - face)[:, :2].max() < 2
    assert np.array_equal(portrait.picture, next(iter(video)).pixels)


def test_an_edit_without_a_wish_changes_nothing(animator):
    source = read_image(ASTRONAUT).astype(int)
    assert np.abs(animator.edit(ASTRONAUT, FaceControls(), EditOptions()) - source).max() <= 1
    assert np.abs(animator.edit(ASTRONAUT, FaceControls(smile=1), EditOptions()) - source).max() > 20


def test_an_edit_is_rendered_as_animations_are(animator):
    wish = FaceControls(mouth_open=1)
    warped, rendered = (animator.edit(ASTRONAUT, wish, EditOptions(renderer=name)) for name in ("none", "auto"))
    crop = animator.prepare(ASTRONAUT, SourceOptions()).crop
    change = np.abs(rendered.astype(int) - warped).max(2)
    assert change.max() > 20
    change[max(0, crop.top) : crop.top + crop.side, max(0, crop.left) : crop.left + crop.side] = 0
    assert change.max() == 0  # and beside the crop it is the source


def test_the_range_of_the_options_is_kept(animator, clip):
    assert len(list(animator.animate(ASTRONAUT, clip, replace(SMALL, start=0.08, end=0.2)))) == 3


def test_a_motion_that_stops_at_a_gap_has_its_anchor_before_it(animator, prepared, motion):
    is_tracked = torch.tensor([True, True, True, False, True, True, True, True])
    options = replace(SMALL, gap="stop")
    anchored = anchor_motion(animator.model, prepared, replace(motion, is_tracked=is_tracked), options)
    assert len(anchored.motion) == 3 and anchored.anchors[0] < 3
    assert len(list(animator.render(prepared, anchored, options))) == 3


def test_a_large_portrait_is_shrunk_to_the_rendered_size_before_it_is_warped(animator):
    crop = animator.prepare(ASTRONAUT, SourceOptions()).crop
    prepared = animator.prepare(ASTRONAUT, SMALL)
    assert prepared.crop.side == pytest.approx(64, abs=1)
    assert prepared.picture.shape[0] == pytest.approx(512 * 64 / crop.side, abs=1)


def test_work_ahead_leaves_the_number_of_threads(animator, clip):
    before = torch.get_num_threads()
    list(animator.animate(ASTRONAUT, clip, SMALL))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == before
