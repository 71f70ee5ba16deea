"""A driver's motion: where it is read from, and from which frames it is measured."""

from dataclasses import dataclass
from pathlib import Path

from fadm.attributes.anchoring import AnchoredMotion, fill_gaps, find_anchors, find_stand_ins
from fadm.attributes.extraction import FaceFollower
from fadm.attributes.landmark_model import LandmarkModel
from fadm.attributes.motion import Motion
from fadm.attributes.placement import calm_camera, ease_returns
from fadm.coarse.source import PreparedSource
from fadm.media.frames import FrameSource
from fadm.media.reader import open_frames
from fadm.options import AnimateOptions, MotionOptions


@dataclass(frozen=True)
class DriverMotion:
    """What was read from a driver.

    Attributes:
        motion: Its motion as it was tracked.
        anchored: The same without gaps, with its anchors.
        follower: Counts the frames on which the tracker failed.
    """

    motion: Motion
    anchored: AnchoredMotion
    follower: FaceFollower


def open_driver(driving: str | Path, options: MotionOptions) -> FrameSource:
    """Open a driver.

    Args:
        driving: A video, an animated picture, a folder of pictures or one picture.
        options: Range in time, and rate of a folder of pictures.

    Returns:
        Its frames.

    Raises:
        FadmError: It cannot be read, or the range is empty.
    """
    return open_frames(driving, start=options.start, end=options.end, rate=options.rate)


def anchor_motion(
    model: LandmarkModel, prepared: PreparedSource, motion: Motion, options: AnimateOptions
) -> AnchoredMotion:
    """Choose the frames from which the driver's motion is measured, and fill its gaps.

    Args:
        model: The face model of the motion.
        prepared: The source.
        motion: The driver's motion.
        options: Relative or absolute motion, anchor, and what happens to frames without a face.

    Returns:
        The anchored motion.

    Raises:
        OptionError: The anchor frame shows no face.
        FaceError: No frame is left.
    """
    relative = len(motion) > 1 if options.relative is None else options.relative
    if options.gap == "stop":  # what comes after the end is no anchor either
        motion = fill_gaps(motion, options.gap, [])
    anchors = find_anchors(motion, model, prepared.face, options.anchor)
    filled = fill_gaps(motion, options.gap, anchors)
    stand_ins = find_stand_ins(motion, options.gap, anchors)[: len(filled)]
    is_measured = relative and options.placement != "clip"
    kept = {shot: frame for shot, frame in enumerate(anchors) if frame is not None} if is_measured else {}
    if not kept or options.stills:  # pictures that do not follow each other have no speed
        return AnchoredMotion(filled, kept, stand_ins)
    if options.gap in ("hold", "source"):
        filled = ease_returns(filled, motion.is_tracked)
    return AnchoredMotion(filled, kept, stand_ins, calm_camera(filled, kept))
