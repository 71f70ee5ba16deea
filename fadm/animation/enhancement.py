"""Frames of an animation made by any tool, rendered again (paper, section 1)."""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from fadm.animation.animator import Animator
from fadm.animation.build import build_refiner, load_networks
from fadm.animation.choices import check_refinement
from fadm.animation.frames import make_frames, set_back, share_work, view_video
from fadm.attributes.landmark_model import pose_landmarks
from fadm.attributes.motion import Motion
from fadm.coarse.generators import DrawnFrame
from fadm.coarse.source import PreparedSource, fit_source
from fadm.media.frames import FrameSource
from fadm.options import EnhanceOptions, SourceOptions

Pixels = NDArray[np.uint8]


def enhance_frames(
    animator: Animator,
    video: FrameSource,
    motion: Motion,
    options: EnhanceOptions,
    portrait: PreparedSource | None = None,
) -> Iterator[Pixels]:
    """Render the frames of an animation made by any tool again (paper, section 1).

    Args:
        animator: Finds faces and holds the face model.
        video: The animation.
        motion: What `Animator.read_motion` read from it.
        options: The user's choices.
        portrait: The picture it was made from; its first frame with a face unless given.

    Yields:
        Frames (H, W, 3) uint8; those without a face are left as they are.

    Raises:
        OptionError: No renderer is chosen, or its options contradict each other.
    """
    check_refinement(options, is_needed=True, model=animator.model)
    if portrait is None:
        portrait = find_portrait(animator, video, motion, options.window)
    networks = load_networks(options, animator.device)
    first = options.first_frame
    refiner = build_refiner(
        networks, animator.model, portrait, motion, animator.device, is_animation=False, first_frame=first
    )
    assert refiner is not None  # check_refinement asks for a renderer
    draw = view_video(animator.model, video, motion, is_whole=portrait.is_whole)

    def finish(frames: list[DrawnFrame]) -> list[Pixels]:
        return [set_back(drawn) for drawn in refiner.refine(frames)]

    workers, batch = share_work(None, [refiner])
    yield from make_frames(enumerate(video), draw, finish, workers=workers, batch=batch)


def find_portrait(animator: Animator, video: FrameSource, motion: Motion, window: str = "face") -> PreparedSource:
    """Take the first frame with a face of an animation as its source.

    Args:
        animator: Finds faces.
        video: The animation.
        motion: What was read from it; the portrait is the same face.
        window: What the crop shows (WindowOptions).

    Returns:
        The prepared source.
    """
    first = int(motion.is_tracked.nonzero()[0, 0])
    picture = next(islice(iter(video), first, None)).pixels
    shape = animator.model.shape(motion.identity[int(motion.shot[first])][None])
    followed = pose_landmarks(shape, motion.attributes[[first]])[0].numpy()
    with closing(animator.make_tracker(is_video=False)) as tracker:
        faces = [face.landmarks for face in tracker.track(picture)] or [followed]
    nearest = min(faces, key=lambda face: float(np.linalg.norm((face - followed)[:, :2].mean(0))))
    return fit_source(animator.model, picture, nearest, SourceOptions(window=window))
