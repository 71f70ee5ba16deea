"""A portrait and a driver become a video: the stages joined, one frame at a time. Start reading here.

source picture -> face -> fitted face -> prepared source ----------+
driving video  -> face -> motion, in numbers -> anchored motion ----+-> coarse frames -> rendered frames -> video
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import fields
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.animation.build import Networks, build_animation, build_refiner, load_networks, sees_driver
from fadm.animation.choices import check_choices
from fadm.animation.driver import DriverMotion, anchor_motion, open_driver
from fadm.animation.frames import compose, make_frames, share_work, show_source
from fadm.attributes.anchoring import AnchoredMotion
from fadm.attributes.directions import change_attributes
from fadm.attributes.extraction import FaceFollower, extract_motion
from fadm.attributes.landmark_model import LandmarkModel, load_landmark_model
from fadm.attributes.motion import Motion, make_still_motion
from fadm.coarse.driver_crops import driver_windows, follow_driver, whole_window
from fadm.coarse.generators import CoarseAnimation, DrawnFrame
from fadm.coarse.source import PreparedSource, fit_source, keep_alpha
from fadm.controls import FaceControls
from fadm.device import choose_device
from fadm.errors import TurnedFaceError
from fadm.face.selection import choose_face
from fadm.face.smoothing import OneEuroFilter
from fadm.face.tracker import FaceTracker, LandmarkTracker
from fadm.media.crop import Square
from fadm.media.frames import FrameSource
from fadm.media.image import read_image
from fadm.options import AnimateOptions, EditOptions, MotionOptions, SourceOptions

Pixels = NDArray[np.uint8]


class Animator:
    """Animates portraits. Holds the face model and makes trackers; a call keeps nothing for the next."""

    def __init__(
        self,
        *,
        device: str = "auto",
        make_tracker: Callable[..., LandmarkTracker] = FaceTracker,
        model: LandmarkModel | None = None,
    ) -> None:
        """Choose the device and load the face model.

        Args:
            device: Device name such as cpu or cuda:0; auto takes the first of CUDA, MPS and CPU.
            make_tracker: Called with `is_video=False` for single pictures and `is_video=True` for videos.
            model: The face model; the package's own unless given.

        Raises:
            OptionError: This machine has no such device.
        """
        self.device = choose_device(device)
        self.make_tracker = make_tracker
        self.model = model or load_landmark_model()

    def animate(
        self, source: str | Path | Pixels, driving: str | Path, options: AnimateOptions | None = None
    ) -> Iterator[Pixels]:
        """Animate a portrait by a driver.

        Options of the written file (side by side, audio, label) are for `animate_file`.

        Args:
            source: A picture file, or its pixels (H, W, 3) uint8.
            driving: A video, an animated picture, a folder of pictures or one picture.
            options: How the source follows the driver.

        Yields:
            The source's frames (H, W, 3) uint8 as it moves like the driver, one for each of the driver's.

        Raises:
            FadmError: An input or option cannot be used; raised before the first frame.
        """
        options = options or AnimateOptions()
        check_choices(options, has_pictures=True, model=self.model)
        driver = open_driver(driving, options)
        prepared = self.prepare(source, options)
        anchored = self.read_driver(prepared, driver, options).anchored
        yield from self.render(prepared, anchored, options, driver)

    def prepare(self, source: str | Path | Pixels, options: SourceOptions) -> PreparedSource:
        """Find and fit the source's face, once for all drivers.

        Args:
            source: A picture file, or its pixels (H, W, 3) uint8.
            options: Which face, and how large it is rendered.

        Returns:
            The prepared source.

        Raises:
            InputError: The file is not a readable picture.
            FaceError: The face that is asked for is not there.
            OptionError: The window does not fit the picture.
        """
        where = "source" if isinstance(source, np.ndarray) else f"source '{source}'"
        picture = source if isinstance(source, np.ndarray) else read_image(source)
        with closing(self.make_tracker(is_video=False)) as tracker:
            faces = [face.landmarks for face in tracker.track(picture)]
        return fit_source(self.model, picture, faces[choose_face(faces, options.face, where)], options)

    def read_motion(
        self,
        driver: FrameSource,
        options: MotionOptions,
        on_frame: Callable[[], None] = lambda: None,
        identity: Tensor | None = None,
    ) -> tuple[Motion, FaceFollower]:
        """Track a driver.

        Args:
            driver: The driver.
            options: Which face is followed, and how steadily.
            on_frame: Called after each frame.
            identity: The driver's identity coefficients (1, I), if they are known.

        Returns:
            The motion, and the follower, which counts the frames on which the tracker failed.

        Raises:
            FaceError: The face that is asked for is not there, or lies on its side or upside down.
        """
        with closing(self.make_tracker(is_video=not options.stills)) as tracker:
            smoothing = OneEuroFilter(min_cutoff=options.smoothing)
            where = f"driver '{driver.path}'"
            follower = FaceFollower(tracker, options.driving_face, smoothing, where, options.stills)
            return extract_motion(driver, follower, self.model, on_frame, identity), follower

    def read_upright(
        self,
        driver: FrameSource,
        options: MotionOptions,
        on_frame: Callable[[], None] = lambda: None,
        identity: Tensor | None = None,
    ) -> tuple[Motion, FaceFollower]:
        """Track a driver; one whose face lies on its side or upside down is turned for good.

        Args:
            driver: The driver.
            options: Which face is followed, and how steadily.
            on_frame: Called after each frame.
            identity: The driver's identity coefficients (1, I), if they are known.

        Returns:
            As `read_motion`.

        Raises:
            FaceError: The face that is asked for is not there.
        """
        try:
            return self.read_motion(driver, options, on_frame, identity)
        except TurnedFaceError as error:
            driver.turn(error.turns)
            return self.read_motion(driver, options, on_frame, identity)

    def read_driver(
        self,
        prepared: PreparedSource,
        driver: FrameSource,
        options: AnimateOptions,
        on_frame: Callable[[], None] = lambda: None,
    ) -> DriverMotion:
        """Track the driver of a source and anchor its motion.

        Args:
            prepared: The source; a driver of its own clip shows the same person.
            driver: The driver.
            options: The user's options.
            on_frame: Called after each frame.

        Returns:
            The motion as it was tracked, and anchored.

        Raises:
            FaceError: The face that is asked for is not there.
            OptionError: The anchor frame shows no face.
        """
        identity = prepared.face.identity if options.placement == "clip" else None
        motion, follower = self.read_upright(driver, options, on_frame, identity)
        return DriverMotion(motion, anchor_motion(self.model, prepared, motion, options), follower)

    def render(
        self,
        prepared: PreparedSource,
        anchored: AnchoredMotion,
        options: AnimateOptions,
        driver: FrameSource | None = None,
    ) -> Iterator[Pixels]:
        """Draw, refine and compose every frame of a motion.

        Args:
            prepared: The source.
            anchored: The driver's motion.
            options: The user's choices.
            driver: What the motion was read from, for choices that see its pictures again (`sees_driver`).

        Yields:
            Frames (H, W, 3) uint8 of the source, one for each of the motion; (H, W, 4) if it keeps its alpha.
        """
        networks = load_networks(options, self.device)
        seen = driver if sees_driver(networks) else None
        animation, jobs = self.follow(networks, prepared, anchored, options, seen)
        first = options.first_frame
        refiner = build_refiner(
            networks, self.model, prepared, anchored.motion, self.device, is_animation=True, first_frame=first
        )

        def finish(frames: list[DrawnFrame]) -> list[Pixels]:
            return [compose(prepared, drawn) for drawn in (frames if refiner is None else refiner.refine(frames))]

        workers, batch = share_work(animation, [] if refiner is None else [refiner])
        yield from make_frames(jobs, lambda job: animation.draw(*job), finish, workers=workers, batch=batch)

    def follow(
        self,
        networks: Networks,
        prepared: PreparedSource,
        anchored: AnchoredMotion,
        options: AnimateOptions,
        driver: FrameSource | None,
    ) -> tuple[CoarseAnimation, Iterator[tuple[int, Tensor | None]]]:
        """Let the coarse generator follow a motion.

        Args:
            networks: The loaded networks of the options.
            prepared: The source.
            anchored: The driver's motion.
            options: The user's choices.
            driver: What the motion was read from, if its pictures are seen again.

        Returns:
            What draws the coarse frames, and for each frame the arguments of its `draw`.
        """
        motion = anchored.motion
        crops: Iterator[Tensor | None] = repeat(None, len(motion))
        windows: dict[int, Square] = {}
        if driver is not None:
            windows = driver_windows(self.model, motion, whole_window(driver) if prepared.is_whole else None)
            crops = follow_driver(driver, windows, anchored)
        animation = build_animation(networks, self.model, prepared, anchored, options, driver, windows, self.device)
        return animation, enumerate(crops)

    def edit(
        self,
        source: str | Path | Pixels,
        controls: FaceControls,
        options: EditOptions,
        alpha: Pixels | None = None,
    ) -> Pixels:
        """Change the expression and pose of a portrait by name.

        Args:
            source: A picture file, or its pixels (H, W, 3) uint8.
            controls: What the face does.
            options: Which face, and how it is rendered.
            alpha: The source's alpha (H, W) uint8, if it is to be kept.

        Returns:
            The changed picture (H, W, 3) uint8; (H, W, 4) with alpha.

        Raises:
            FadmError: The picture or the face cannot be used.
        """
        chosen = AnimateOptions(**{f.name: getattr(options, f.name) for f in fields(EditOptions)}, relative=True)
        check_choices(chosen, has_pictures=False, model=self.model)
        prepared = keep_alpha(self.prepare(source, options), alpha)
        if controls == FaceControls():
            return show_source(prepared)
        face = prepared.face
        changed = change_attributes(self.model, face.attributes, face.canonical, controls)
        motion = make_still_motion([face.attributes, changed], face.identity)
        networks = load_networks(chosen, self.device)
        animation, _ = self.follow(networks, prepared, AnchoredMotion(motion, {0: 0}, torch.arange(2)), chosen, None)
        refiner = build_refiner(networks, self.model, prepared, motion, self.device, is_animation=True)
        drawn = [animation.draw(1, None)]
        return compose(prepared, (drawn if refiner is None else refiner.refine(drawn))[0])
