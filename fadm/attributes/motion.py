"""A driver's motion as numbers over time: what is read from a video once, and can be kept in a file."""

import json
import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from fadm.attributes.face_attributes import NUM_EXPRESSION, FaceAttributes
from fadm.attributes.landmark_model import LandmarkModel, LandmarkModelConfig
from fadm.attributes.rotation import axis_angle_to_matrix
from fadm.errors import FaceError, InputError, OptionError
from fadm.files import explain_failure, place_of, replace_file
from fadm.media.frames import make_range
from fadm.options import LARGEST_TERM

FORMAT = "fadm motion 1"
MOTION_ENDINGS = (".json", ".npz")
# What json and numpy raise for content that is not theirs or is damaged; an array alone is no archive (TypeError).
DAMAGED = (ValueError, EOFError, TypeError, NotImplementedError, zipfile.BadZipFile, zlib.error)
_CHUNK = 512  # frames compared at a time: memory stays constant


@dataclass(frozen=True)
class Motion:
    """Attributes of one face in T frames of S shots.

    attributes (T); is_tracked (T,) bool: the rows of other frames mean nothing; shot (T,) int64; identity
    (S, I) coefficients of the face in each shot; pts (T,) int64 in units of time_base seconds; rate: average
    frames per second.
    """

    attributes: FaceAttributes
    is_tracked: Tensor
    shot: Tensor
    identity: Tensor
    pts: Tensor
    time_base: Fraction
    rate: Fraction

    def __len__(self) -> int:
        return len(self.pts)

    def __getitem__(self, frames: slice) -> Self:
        """Some of the frames."""
        return replace(
            self,
            attributes=self.attributes[frames],
            is_tracked=self.is_tracked[frames],
            shot=self.shot[frames],
            pts=self.pts[frames],
        )

    def between(self, start: float | None, end: float | None) -> Self:
        """The frames from start to before end, in seconds; the first of them is at time 0.

        Raises OptionError for a range that makes no sense, InputError for one without a frame.
        """
        kept = make_range(start, end)
        is_kept = self.pts >= math.ceil(kept.start / self.time_base)
        if kept.end is not None:
            is_kept &= self.pts < math.ceil(kept.end / self.time_base)
        rows = torch.nonzero(is_kept)[:, 0]
        if not len(rows):
            last = float(int(self.pts[-1]) * self.time_base)
            raise InputError(
                f"the motion has no frame from {float(kept.start):g} s on, its last one is at {last:g} s; "
                "choose a range within it"
            )
        part = self[slice(int(rows[0]), int(rows[-1]) + 1)]
        return replace(part, pts=part.pts - part.pts[0])


def make_still_motion(faces: Sequence[FaceAttributes], identity: Tensor) -> Motion:
    """A motion of one shot that takes faces (1 each) of one person, identity (1, I), in turn."""
    rows = [torch.cat([getattr(face, f.name) for face in faces]) for f in fields(FaceAttributes)]
    count = len(faces)
    return Motion(
        attributes=FaceAttributes(*rows),
        is_tracked=torch.ones(count, dtype=torch.bool),
        shot=torch.zeros(count, dtype=torch.int64),
        identity=identity,
        pts=torch.arange(count),
        time_base=Fraction(1, 25),
        rate=Fraction(25),
    )


def find_anchors(motion: Motion, model: LandmarkModel, source: FaceAttributes, choice: str) -> list[int | None]:
    """For each shot the frame from which its motion is measured, None for a shot without a face.

    choice: `auto`, the frame whose pose and expression are nearest to the source's; `first`; or a frame's number
    from 0, which holds for its shot while the others are searched. Raises OptionError for a number without a
    tracked face.
    """
    if choice.isdecimal() and (int(choice) >= len(motion) or not motion.is_tracked[int(choice)]):
        raise OptionError(f"--anchor {choice}: no face in that frame; frames are 0 to {len(motion) - 1}")
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
            distances = [_pose_distance(model, motion.attributes[part], source) for part in frames.split(_CHUNK)]
            anchors.append(int(frames[torch.cat(distances).argmin()]))
    return anchors


def _pose_distance(model: LandmarkModel, faces: FaceAttributes, face: FaceAttributes) -> Tensor:
    """Mean distance (T,) of the landmarks that one person's face would have, in model units."""

    def posed(attributes: FaceAttributes) -> Tensor:
        shape = model.mean + model.displacement(attributes.expression, attributes.jaw)
        return shape @ axis_angle_to_matrix(attributes.head).transpose(1, 2)

    return (posed(faces) - posed(face)).norm(dim=-1).mean(1)


def fill_gaps(motion: Motion, policy: str, anchors: Sequence[int | None]) -> Motion:
    """Give frames without a face a motion, by the policy; all frames are tracked afterwards.

    hold: as in the last tracked frame (the first one, at the start); interpolate: between the tracked frames
    around, where they belong to one shot; source: as in the anchor, so that the source shows itself; stop: end
    before the first such frame. Raises FaceError when no frame is left.
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
    rows = [
        torch.lerp(getattr(motion.attributes, f.name)[before], getattr(motion.attributes, f.name)[after], share)
        for f in fields(FaceAttributes)
    ]
    return replace(
        motion,
        attributes=FaceAttributes(*rows),
        is_tracked=torch.ones_like(motion.is_tracked),
        shot=motion.shot[before],
    )


def find_stand_ins(motion: Motion, policy: str, anchors: Sequence[int | None]) -> Tensor:
    """For each frame (T,) the tracked one that stands for it: itself, the last one or, for `source`, the anchor."""
    frames, tracked = torch.arange(len(motion)), torch.nonzero(motion.is_tracked)[:, 0]
    before = tracked[(torch.searchsorted(tracked, frames, right=True) - 1).clamp(min=0)]
    if policy != "source":
        return before
    anchor_of = torch.tensor([-1 if a is None else a for a in anchors])[motion.shot[before]]
    return torch.where(motion.is_tracked, frames, anchor_of)


def save_motion(motion: Motion, path: str | Path) -> None:
    """Write a motion file, JSON or npz by its ending. Raises OutputError where it cannot be written."""
    arrays = {name: tensor.numpy() for name, tensor in _tensors(motion).items()}
    head = {"format": FORMAT, "time_base": str(motion.time_base), "rate": str(motion.rate)}
    with replace_file(place_of(path)) as temporary, explain_failure(path), temporary.open("wb") as file:
        if Path(path).suffix.lower() == ".npz":
            np.savez_compressed(file, **arrays, **{key: np.array(value) for key, value in head.items()})
        else:
            lists = {name: _round(array).tolist() for name, array in arrays.items()}
            file.write(json.dumps(head | lists).encode())


def load_motion(path: str | Path) -> Motion:
    """Read a motion file, JSON or npz by its ending. Raises InputError for anything else."""
    path = Path(path)
    try:
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                content: dict[str, Any] = {name: arrays[name] for name in arrays.files}
        else:
            content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}; check the name") from error
    except DAMAGED as error:
        raise InputError(f"'{path}' is no motion file ({error}); make one with fadm motion extract") from error
    if not isinstance(content, dict) or str(content.get("format")) != FORMAT:
        raise InputError(f"'{path}' is no motion file of this version; make one with fadm motion extract")
    return _check_motion(content, path)


def _tensors(motion: Motion) -> dict[str, Tensor]:
    attributes = {f.name: getattr(motion.attributes, f.name) for f in fields(FaceAttributes)}
    return attributes | {
        "is_tracked": motion.is_tracked,
        "shot": motion.shot,
        "identity": motion.identity,
        "pts": motion.pts,
    }


def _round(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64).round(5) if array.dtype == np.float32 else array


def _check_motion(content: dict[str, Any], path: Path) -> Motion:
    widths = {"expression": NUM_EXPRESSION, "pose": 6, "camera": 3, "gaze": 4}
    try:
        floats = {n: torch.tensor(np.asarray(content[n], np.float32)) for n in (*widths, "identity")}
        integers = {n: torch.tensor(np.asarray(content[n], np.int64)) for n in ("shot", "pts")}
        is_tracked = torch.tensor(np.asarray(content["is_tracked"], bool))
        time_base, rate = Fraction(str(content["time_base"])), Fraction(str(content["rate"]))
    except (KeyError, ValueError, TypeError, ArithmeticError) as error:
        raise InputError(f"'{path}': a value is missing or malformed ({error})") from error
    frames = len(integers["pts"])
    wrong = [n for n, width in widths.items() if floats[n].shape != (frames, width)]
    wrong += [n for n, t in (("shot", integers["shot"]), ("is_tracked", is_tracked)) if t.shape != (frames,)]
    if wrong or not frames or floats["identity"].shape[1:] != (LandmarkModelConfig.num_identity,):
        raise InputError(f"'{path}': {', '.join(wrong) or 'pts or identity'} has not the shape for {frames} frames")
    bad = [n for n in floats if not floats[n].isfinite().all()]
    shots = len(floats["identity"])
    if bad or not ((integers["shot"] >= 0) & (integers["shot"] < shots)).all():
        raise InputError(f"'{path}': {', '.join(bad) or 'shot'} holds values that are not finite or out of range")
    if (
        (integers["pts"].diff() <= 0).any()
        or time_base <= 0
        or rate <= 0
        or (floats["camera"][is_tracked, 0] <= 0).any()
    ):
        raise InputError(f"'{path}': times must grow, rate and scale of the camera must be above 0")
    if max(*time_base.as_integer_ratio(), *rate.as_integer_ratio()) > LARGEST_TERM:
        raise InputError(f"'{path}': time_base or rate has more digits than a video holds (terms up to {LARGEST_TERM})")
    attributes = FaceAttributes(**{n: floats[n] for n in widths})
    return Motion(attributes, is_tracked, integers["shot"], floats["identity"], integers["pts"], time_base, rate)
