"""A portrait and a driver become a video: the stages joined, one frame at a time. Start reading here.

source picture -> face -> fitted face -> prepared source -------+
driving video  -> face -> motion, in numbers -> moved landmarks -+-> coarse frame -> composed frame
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.attributes.controls import FaceControls
from fadm.attributes.directions import change_attributes
from fadm.attributes.extraction import FaceFollower, extract_motion
from fadm.attributes.landmark_model import FittedFace, fit_face, load_landmark_model
from fadm.attributes.motion import Motion, fill_gaps, find_anchors
from fadm.coarse.geometric.gains import Gains
from fadm.coarse.geometric.generator import GeometricSource, drive_source, prepare_source
from fadm.coarse.geometric.transfer import MotionTransfer
from fadm.device import choose_device
from fadm.face.segmentation import segment_person
from fadm.face.selection import choose_face
from fadm.face.smoothing import OneEuroFilter
from fadm.face.topology import FACE_OVAL
from fadm.face.tracker import LandmarkTracker, MediaPipeTracker
from fadm.media.compose import feather_mask, paste_square
from fadm.media.crop import Square, copy_square, resize_pixels, square_around, to_pixels, to_tensor
from fadm.media.frames import FrameSource
from fadm.media.image import read_image
from fadm.options import DEFAULT_CROP_SIZE, LARGEST_CROP_SIZE, AnimateOptions, MotionOptions, SourceOptions

Pixels = NDArray[np.uint8]

CROP_SCALE = 1.75  # side of the crop in heights of the face, as in the field's VoxCeleb crops
REGION_SCALE = 2.8  # side of the region that may move
PERSON_SIZE = 256  # pixels at which the person is told from the background
BATCH = 64  # frames whose landmarks are moved at once


@dataclass(frozen=True)
class PreparedSource:
    """A source made ready to be driven, in the resolution of the result.

    picture (H, W, 3); face: its fit, in the picture's pixels; view: the window that is rendered; state: the
    coarse generator's; is_crop: the result is the view alone.
    """

    picture: Pixels
    face: FittedFace
    view: Square
    state: GeometricSource
    is_crop: bool

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the result in pixels."""
        height, width = self.picture.shape[:2]
        return (self.state.size, self.state.size) if self.is_crop else (width, height)


@dataclass(frozen=True)
class AnchoredMotion:
    """A motion without gaps, and for each of its shots the frame from which it is measured.

    anchors: row of attributes (1) by shot; empty where pose and expression are taken as they are.
    """

    motion: Motion
    anchors: dict[int, int]


class Animator:
    """Animates portraits. Holds the face model and makes trackers; a call keeps nothing for the next.

    make_tracker: called with `is_video=False` for a source and `is_video=True` for a driver.
    """

    def __init__(
        self, *, device: str = "auto", make_tracker: Callable[..., LandmarkTracker] = MediaPipeTracker
    ) -> None:
        self.device = choose_device(device)
        self.make_tracker = make_tracker
        self.model = load_landmark_model()

    def animate(
        self, source: str | Path | Pixels, driver: FrameSource, options: AnimateOptions | None = None
    ) -> Iterator[Pixels]:
        """Yield the source's frames (H, W, 3) as it moves like the driver, at the driver's times."""
        options = options or AnimateOptions()
        prepared = self.prepare(source, options)
        motion, _ = self.read_motion(driver, options)
        yield from self.render(prepared, self.anchor(prepared, motion, options), options)

    def prepare(self, source: str | Path | Pixels, options: SourceOptions) -> PreparedSource:
        """Find and fit the source's face, once for all drivers.

        source: a file or pixels (H, W, 3). Raises InputError for an unreadable picture, FaceError when the face
        that is asked for is not there.
        """
        where = "source" if isinstance(source, np.ndarray) else f"source '{source}'"
        picture = source if isinstance(source, np.ndarray) else read_image(source)
        with closing(self.make_tracker(is_video=False)) as tracker:
            faces = tracker.track(picture)
        landmarks = faces[choose_face(faces, options.face, where)]
        side = square_around(landmarks[list(FACE_OVAL)], CROP_SCALE).side
        if not options.crop and side > (options.size or LARGEST_CROP_SIZE):
            factor = (options.size or LARGEST_CROP_SIZE) / side
            height, width = picture.shape[:2]
            picture = resize_pixels(picture, round(width * factor), round(height * factor))
            landmarks = (landmarks + 0.5) * np.float32(factor) - 0.5
        region = square_around(landmarks[list(FACE_OVAL)], REGION_SCALE)
        view = square_around(landmarks[list(FACE_OVAL)], CROP_SCALE) if options.crop else region
        size = (options.size or DEFAULT_CROP_SIZE) if options.crop else region.side
        person = segment_person(copy_square(picture, region, PERSON_SIZE))
        state = prepare_source(to_tensor(picture).to(self.device), landmarks, person, region, view, size)
        face = fit_face(self.model, torch.from_numpy(landmarks))
        return PreparedSource(picture, face, view, state, options.crop)

    def read_motion(
        self, driver: FrameSource, options: MotionOptions, on_frame: Callable[[], None] = lambda: None
    ) -> tuple[Motion, FaceFollower]:
        """Track a driver -> its motion, and the follower, which counts the frames that the tracker failed on.

        Raises FaceError when the face that is asked for is not there.
        """
        with closing(self.make_tracker(is_video=True)) as tracker:
            smoothing = OneEuroFilter(min_cutoff=options.smoothing)
            follower = FaceFollower(tracker, options.driving_face, smoothing, f"driver '{driver.path}'")
            return extract_motion(driver, follower, self.model, on_frame), follower

    def anchor(self, prepared: PreparedSource, motion: Motion, options: AnimateOptions) -> AnchoredMotion:
        """Choose the frames from which the driver's motion is measured, and fill its gaps."""
        relative = len(motion) > 1 if options.relative is None else options.relative
        anchors = find_anchors(motion, self.model, prepared.face.attributes, options.anchor)
        filled = fill_gaps(motion, options.gap, anchors)
        return AnchoredMotion(
            filled, {s: a for s, a in enumerate(anchors) if a is not None} if relative else {}
        )

    def render(self, prepared: PreparedSource, anchored: AnchoredMotion, gains: Gains) -> Iterator[Pixels]:
        """Yield one frame (H, W, 3) of the source for each frame of the motion."""
        motion, anchors = anchored.motion, anchored.anchors
        transfers: dict[int, MotionTransfer] = {}
        for first in range(0, len(motion), BATCH):
            batch = motion[first : first + BATCH]
            for shot in batch.shot.unique_consecutive().tolist():
                if shot not in transfers:
                    reach, identity = prepared.state.mesh.reach, motion.identity[shot : shot + 1]
                    transfers[shot] = MotionTransfer(self.model, prepared.face, gains, identity, reach)
            for i, shot in enumerate(batch.shot.tolist()):
                anchor = motion.attributes[[anchors[shot]]] if anchors else None
                landmarks, carried = transfers[shot].move(batch.attributes[[i]], anchor)
                yield self._draw(prepared, landmarks[0], carried[0])

    def edit(self, source: str | Path | Pixels, controls: FaceControls, options: SourceOptions) -> Pixels:
        """Change the expression and pose of a portrait by name -> (H, W, 3)."""
        prepared = self.prepare(source, options)
        face = prepared.face
        changed = change_attributes(self.model, face.attributes, face.canonical, controls)
        transfer = MotionTransfer(self.model, face, Gains(), face.identity, prepared.state.mesh.reach)
        landmarks, carried = transfer.move(changed, face.attributes)
        return self._draw(prepared, landmarks[0], carried[0])

    def _draw(self, prepared: PreparedSource, landmarks: Tensor, carried: Tensor) -> Pixels:
        frame = drive_source(prepared.state, landmarks, carried).frame
        if prepared.is_crop:
            return to_pixels(frame)
        return paste_square(prepared.picture, prepared.view, frame, feather_mask(prepared.state.size))
