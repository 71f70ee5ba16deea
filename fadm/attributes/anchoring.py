"""Anchor frames, from which a driver's motion is measured, and the filling of frames without a face."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from fadm.attributes.coefficients import motion_blendshapes, see_blendshapes
from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import FittedFace, LandmarkModel
from fadm.attributes.motion import Motion
from fadm.attributes.rotation import axis_angle_to_matrix, matrix_to_axis_angle
from fadm.blendshapes import BLENDSHAPES, NUM_BLENDSHAPES
from fadm.errors import FaceError, OptionError

# Weights of square differences from the source, against those of blendshape coefficients: of the head's rotation in
# radians, and of the opening of the jaw, whose coefficient is small and is seen first.
TURN_WEIGHT, JAW_WEIGHT = 2.0, 10.0
GAP_MARGIN = 10  # frames beside a gap, in which a face may be fading, leaving, or half hidden


@dataclass(frozen=True)
class AnchoredMotion:
    """A motion without gaps, with its anchor frames.

    Attributes:
        motion: The motion (T frames), every frame tracked.
        anchors: Anchor frame by shot; empty for absolute motion.
        stand_ins: The driver's frame used at each frame (T,) int64: the frame itself, or another one where it shows no
            face.
        camera: Camera of each frame (T, 3) by which the head is placed; None for the motion's.
    """

    motion: Motion
    anchors: dict[int, int]
    stand_ins: Tensor
    camera: Tensor | None = None


def find_anchors(motion: Motion, model: LandmarkModel, source: FittedFace, choice: str) -> list[int | None]:
    """Choose the anchor frame of each shot, from which its motion is measured.

    Args:
        motion: The driver's motion (T frames, S shots).
        model: The face model of the motion.
        source: The source's fitted face.
        choice: `auto` is the frame with the expression and pose nearest to the source's, not beside a gap; `first` the
            first tracked frame; a number (from 0) is a frame for its own shot, with `auto` for the other shots.

    Returns:
        The anchor frame of each shot (S), None for a shot without a face.

    Raises:
        OptionError: The numbered frame does not exist or shows no face.
    """
    if choice.isdecimal() and (int(choice) >= len(motion) or not motion.is_tracked[int(choice)]):
        raise OptionError(f"--anchor {choice}: no face in that frame; frames are 0 to {len(motion) - 1}")
    blendshapes, rest = motion_blendshapes(motion, model), see_blendshapes(source.landmarks)
    weights = torch.ones(NUM_BLENDSHAPES)
    weights[BLENDSHAPES.index("jawOpen")] = JAW_WEIGHT
    anchors: list[int | None] = []
    for shot in range(len(motion.identity)):
        frames = torch.nonzero((motion.shot == shot) & motion.is_tracked)[:, 0]
        if not len(frames):
            anchors.append(None)
        elif choice.isdecimal() and int(choice) in frames:
            anchors.append(int(choice))
        elif choice == "first":
            anchors.append(int(frames[0]))
        else:
            frames = _away_from_gaps(frames, motion.is_tracked)
            turns = _turn_from(motion.attributes.head[frames], source.attributes.head)
            distances = (blendshapes[frames] - rest).square() @ weights + TURN_WEIGHT * turns.square()
            anchors.append(int(frames[distances.argmin()]))
    return anchors


def _away_from_gaps(frames: Tensor, is_tracked: Tensor) -> Tensor:
    """Those of a shot's frames that are GAP_MARGIN away from all frames without a face, or as far as there are."""
    gaps = torch.nonzero(~is_tracked)[:, 0]
    after = torch.searchsorted(gaps, frames)
    bounds = torch.cat([torch.tensor([-GAP_MARGIN]), gaps, torch.tensor([len(is_tracked) + GAP_MARGIN])])
    away = torch.minimum(frames - bounds[after], bounds[after + 1] - frames)
    return frames[away >= away.max().clamp(max=GAP_MARGIN)]


def _turn_from(heads: Tensor, head: Tensor) -> Tensor:
    """Angles (T,) in radians between head rotations (T, 3) and another one (1, 3)."""
    between = axis_angle_to_matrix(head).transpose(1, 2) @ axis_angle_to_matrix(heads)
    return matrix_to_axis_angle(between).norm(dim=1)


def fill_gaps(motion: Motion, policy: str, anchors: Sequence[int | None]) -> Motion:
    """Fill frames without a face; all frames of the result are tracked.

    Args:
        motion: The driver's motion (T frames, S shots).
        policy: `hold` repeats the last tracked frame (at the start the first one); `interpolate` interpolates between
            the tracked frames before and after, where they belong to one shot; `source` uses the anchor, which shows
            the source at rest; `stop` ends before the first frame without a face.
        anchors: Anchor frame of each shot (S), from `find_anchors`.

    Returns:
        The motion without gaps, shorter only for `stop`.

    Raises:
        FaceError: No frame is left.
    """
    tracked = torch.nonzero(motion.is_tracked)[:, 0]
    if not len(tracked) or (policy == "stop" and tracked[0] > 0):
        raise FaceError("no face to follow in the driver's first frame; choose another range or --gap policy")
    if len(tracked) == len(motion):
        return motion
    if policy == "stop":
        return motion[: int(torch.nonzero(~motion.is_tracked)[0, 0])]
    before = after = find_stand_ins(motion, policy, anchors)
    if policy == "interpolate":
        after = tracked[torch.searchsorted(tracked, torch.arange(len(motion))).clamp(max=len(tracked) - 1)]
    is_within = (motion.shot[before] == motion.shot[after]) & (after > before)
    span = (motion.pts[after] - motion.pts[before]).clamp(min=1)
    share = torch.where(is_within, (motion.pts - motion.pts[before]) / span, 0.0)[:, None]

    def fill(values: Tensor) -> Tensor:
        return torch.lerp(values[before], values[after], share)

    return replace(
        motion,
        attributes=FaceAttributes(*(fill(getattr(motion.attributes, f.name)) for f in fields(FaceAttributes))),
        is_tracked=torch.ones_like(motion.is_tracked),
        shot=motion.shot[before],
        blendshapes=None if motion.blendshapes is None else fill(motion.blendshapes),
    )


def find_stand_ins(motion: Motion, policy: str, anchors: Sequence[int | None]) -> Tensor:
    """Find the tracked frame that replaces each frame without a face.

    Args:
        motion: The driver's motion (T frames).
        policy: As in `fill_gaps`.
        anchors: Anchor frame of each shot (S).

    Returns:
        Frame numbers (T,) int64: the frame itself, the last tracked frame or, for `source`, the anchor.
    """
    frames, tracked = torch.arange(len(motion)), torch.nonzero(motion.is_tracked)[:, 0]
    before = tracked[(torch.searchsorted(tracked, frames, right=True) - 1).clamp(min=0)]
    if policy != "source":
        return before
    anchor_of = torch.tensor([-1 if a is None else a for a in anchors])[motion.shot[before]]
    return torch.where(motion.is_tracked, frames, anchor_of)
