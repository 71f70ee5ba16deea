"""A portrait and a driver become a video: the stages joined, one frame at a time. Start reading here.

source picture -> face -> fitted face -> prepared source ----------+
driving video  -> face -> motion, in numbers -> anchored motion ----+-> coarse frames -> rendered frames -> video
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice, repeat
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.animation.build import build_generator, build_refiner, check_choices, check_refinement, sees_driver
from fadm.attributes.directions import change_attributes
from fadm.attributes.extraction import FaceFollower, extract_motion
from fadm.attributes.landmark_model import fit_face, load_landmark_model, pose_landmarks
from fadm.attributes.motion import Motion, fill_gaps, find_anchors, find_stand_ins, make_still_motion
from fadm.coarse.generators import (
    CROP_SCALE,
    AnchoredMotion,
    DrawnFrame,
    GeometricAnimation,
    PreparedSource,
    driver_windows,
    follow_driver,
)
from fadm.device import choose_device, map_ahead
from fadm.face.selection import choose_face
from fadm.face.smoothing import OneEuroFilter
from fadm.face.topology import FACE_OVAL
from fadm.face.tracker import LandmarkTracker, MediaPipeTracker
from fadm.media.compose import feather_mask, paste_square
from fadm.media.crop import Square, cut_square, resize_pixels, square_around, to_pixels, to_tensor
from fadm.media.frames import FrameSource
from fadm.media.image import read_image
from fadm.media.reader import open_frames
from fadm.options import (
    DEFAULT_CROP_SIZE,
    LARGEST_CROP_SIZE,
    AnimateOptions,
    EnhanceOptions,
    FaceControls,
    Gains,
    MotionOptions,
    SourceOptions,
)

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]


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
        self, source: str | Path | Pixels, driving: str | Path, options: AnimateOptions | None = None
    ) -> Iterator[Pixels]:
        """Yield the source's frames (H, W, 3) as it moves like the driver, one for each of the driver's.

        Options of the written file (side by side, audio, label) are for `animate_file`. Raises FadmError before
        the first frame.
        """
        options = options or AnimateOptions()
        check_choices(options, has_pictures=True)
        driver = open_driver(driving, options)
        prepared = self.prepare(source, options)
        motion, _ = self.read_motion(driver, options)
        yield from self.render(prepared, self.anchor(prepared, motion, options), options, driver)

    def prepare(self, source: str | Path | Pixels, options: SourceOptions) -> PreparedSource:
        """Find and fit the source's face, once for all drivers.

        source: a file or pixels (H, W, 3). Raises InputError for an unreadable picture, FaceError when the face
        that is asked for is not there.
        """
        where = "source" if isinstance(source, np.ndarray) else f"source '{source}'"
        picture = source if isinstance(source, np.ndarray) else read_image(source)
        with closing(self.make_tracker(is_video=False)) as tracker:
            faces = tracker.track(picture)
        return self._fit(picture, faces[choose_face(faces, options.face, where)], options)

    def find_portrait(self, video: FrameSource, motion: Motion) -> PreparedSource:
        """Of an animation the first frame with a face as its source, and in it the face that the motion is of."""
        first = int(motion.is_tracked.nonzero()[0, 0])
        picture = next(islice(iter(video), first, None)).pixels
        shape = self.model.shape(motion.identity[int(motion.shot[first])][None])
        followed = pose_landmarks(shape, motion.attributes[[first]])[0].numpy()
        with closing(self.make_tracker(is_video=False)) as tracker:
            faces = tracker.track(picture) or [followed]
        nearest = min(faces, key=lambda face: float(np.linalg.norm((face - followed)[:, :2].mean(0))))
        return self._fit(picture, nearest, SourceOptions())

    def _fit(self, picture: Pixels, landmarks: FloatArray, options: SourceOptions) -> PreparedSource:
        """The picture at the size that the options allow, and the fit of the face with these landmarks (478, 3)."""
        side = square_around(landmarks[list(FACE_OVAL)], CROP_SCALE).side
        largest = options.size or (DEFAULT_CROP_SIZE if options.crop else LARGEST_CROP_SIZE)
        if side > largest:  # shrunk once, antialiased; the warp alone would flicker
            factor = largest / side
            height, width = picture.shape[:2]
            picture = resize_pixels(picture, round(width * factor), round(height * factor))
            landmarks = (landmarks + 0.5) * np.float32(factor) - 0.5
        face = fit_face(self.model, torch.from_numpy(landmarks))
        return PreparedSource(picture, face, options.crop, options.size or DEFAULT_CROP_SIZE)

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
        if options.gap == "stop":  # what comes after the end is no anchor either
            motion = fill_gaps(motion, options.gap, [])
        anchors = find_anchors(motion, self.model, prepared.face.attributes, options.anchor)
        filled = fill_gaps(motion, options.gap, anchors)
        stand_ins = find_stand_ins(motion, options.gap, anchors)[: len(filled)]
        kept = {shot: frame for shot, frame in enumerate(anchors) if frame is not None} if relative else {}
        return AnchoredMotion(filled, kept, stand_ins)

    def render(
        self,
        prepared: PreparedSource,
        anchored: AnchoredMotion,
        options: AnimateOptions,
        driver: FrameSource | None = None,
    ) -> Iterator[Pixels]:
        """Yield one frame (H, W, 3) of the source for each frame of the motion.

        driver: what the motion was read from, for choices that look at it again (`sees_driver`).
        """
        motion = anchored.motion
        is_seen = driver is not None and sees_driver(options)
        windows = driver_windows(self.model, motion) if is_seen else {}
        generator = build_generator(self.model, prepared, anchored, options, driver, windows, self.device)
        refiner = build_refiner(self.model, prepared, motion, options, self.device, is_animation=True)
        crops: Iterator[Tensor | None] = repeat(None, len(motion))
        if driver is not None and is_seen:
            crops = follow_driver(driver, windows, anchored)

        def draw(job: tuple[int, Tensor | None]) -> DrawnFrame:
            return generator.draw(*job)

        def finish(drawn: DrawnFrame) -> Pixels:
            return _compose(prepared, drawn)

        if refiner is None and generator.workers > 1:
            yield from map_ahead(lambda job: finish(draw(job)), enumerate(crops), generator.workers)
        else:
            drawn = map(draw, enumerate(crops))
            yield from map(finish, drawn if refiner is None else refiner.refine(drawn))

    def edit(self, source: str | Path | Pixels, controls: FaceControls, options: SourceOptions) -> Pixels:
        """Change the expression and pose of a portrait by name -> (H, W, 3)."""
        prepared = self.prepare(source, options)
        face = prepared.face
        changed = change_attributes(self.model, face.attributes, face.canonical, controls)
        motion = make_still_motion([face.attributes, changed], face.identity)
        anchored = AnchoredMotion(motion, {0: 0}, torch.arange(2))
        generator = GeometricAnimation(self.model, prepared, anchored, Gains(), self.device)
        return _compose(prepared, generator.draw(1, None))

    def enhance(
        self, video: FrameSource, motion: Motion, options: EnhanceOptions, portrait: PreparedSource | None = None
    ) -> Iterator[Pixels]:
        """Yield the frames (H, W, 3) of an animation made by any tool, rendered again (paper, section 1).

        motion: what `read_motion` says of the video; portrait: the prepared picture it was made from, the first
        frame with a face unless given. Frames without a face are left as they are.
        """
        check_refinement(options, is_needed=True)
        windows = driver_windows(self.model, motion)
        if portrait is None:
            portrait = self.find_portrait(video, motion)
        refiner = build_refiner(self.model, portrait, motion, options, self.device, is_animation=False)
        assert refiner is not None  # check_refinement asks for a renderer
        pictures: deque[Pixels] = deque()  # of the frames that are being rendered

        def drawn_frames() -> Iterator[DrawnFrame]:
            for index, frame in enumerate(video):
                pictures.append(frame.pixels)
                window = windows.get(int(motion.shot[index]), Square(0, 0, 1))
                crop = window if motion.is_tracked[index] else None
                yield DrawnFrame(index, cut_square(to_tensor(frame.pixels), window), window, crop)

        for drawn in refiner.refine(drawn_frames()):
            pixels = pictures.popleft()
            if drawn.crop is not None:
                pixels = _paste(pixels, drawn)
            yield pixels


def open_driver(driving: str | Path, options: MotionOptions) -> FrameSource:
    """Open a driver in the range and at the rate of the options. Raises FadmError."""
    return open_frames(driving, start=options.start, end=options.end, rate=options.rate)


def _compose(prepared: PreparedSource, drawn: DrawnFrame) -> Pixels:
    """The crop alone, or the whole picture with the drawn window in it."""
    if prepared.is_crop:
        return to_pixels(drawn.view)
    return _paste(prepared.picture, drawn)


def _paste(picture: Pixels, drawn: DrawnFrame) -> Pixels:
    """The drawn window in its picture, its border soft."""
    return paste_square(picture, drawn.window, drawn.view, feather_mask(drawn.window.side))
