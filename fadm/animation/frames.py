"""How frames are made: one after another or several at once, drawn, finished and set into their pictures."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fadm.animation.refiner import Refiner
from fadm.attributes.landmark_model import LandmarkModel
from fadm.attributes.motion import Motion
from fadm.coarse.driver_crops import driver_windows, whole_window
from fadm.coarse.generators import CoarseAnimation, DrawnFrame
from fadm.coarse.source import PreparedSource
from fadm.device import map_ahead
from fadm.media.compose import feather_mask, paste_square, take_off_white
from fadm.media.crop import Square, copy_square, cut_square, to_pixels, to_tensor
from fadm.media.frames import Frame, FrameSource

Pixels = NDArray[np.uint8]
Job = TypeVar("Job")
Result = TypeVar("Result")


def make_frames(
    jobs: Iterable[Job],
    draw: Callable[[Job], DrawnFrame],
    finish: Callable[[list[DrawnFrame]], list[Result]],
    *,
    workers: int = 1,
    batch: int = 1,
) -> Iterator[Result]:
    """Make frames in order: several at once, each in a thread of its own, or in batches one after another.

    Args:
        jobs: One for each frame.
        draw: Draws the coarse frame of a job.
        finish: Makes the results of successive coarse frames.
        workers: Threads.
        batch: Frames that are finished together where there is one thread.

    Yields:
        The results.
    """
    if workers > 1:
        yield from map_ahead(lambda job: finish([draw(job)])[0], jobs, workers)
        return
    rest = iter(jobs)
    while some := list(islice(rest, batch)):
        yield from finish([draw(job) for job in some])


def view_video(
    model: LandmarkModel, video: FrameSource, motion: Motion, *, is_whole: bool
) -> Callable[[tuple[int, Frame]], DrawnFrame]:
    """Take the frames of another tool's video as coarse frames.

    Args:
        model: The face model of the motion.
        video: The video.
        motion: What was read from it.
        is_whole: The window is the whole picture, which is square.

    Returns:
        What draws a frame, given its number and itself.

    Raises:
        OptionError: The window is to be the picture, and that is not square.
    """
    windows = driver_windows(model, motion, whole_window(video) if is_whole else None)
    nowhere = Square(0, 0, 1)  # of a shot without a face

    def draw(job: tuple[int, Frame]) -> DrawnFrame:
        index, frame = job
        window = windows.get(int(motion.shot[index]), nowhere)
        crop = window if motion.is_tracked[index] else None
        return DrawnFrame(index, cut_square(to_tensor(frame.pixels), window), window, crop, picture=frame.pixels)

    return draw


def compose(prepared: PreparedSource, drawn: DrawnFrame) -> Pixels:
    """Make the result of a drawn frame.

    Args:
        prepared: The source.
        drawn: The frame.

    Returns:
        The crop alone, or the whole picture with the drawn window in it, (H, W, 3) uint8; (H, W, 4) if the source
        keeps its alpha.
    """
    pixels = to_pixels(drawn.view) if prepared.is_crop else _paste(prepared.picture, drawn.window, drawn.view)
    if prepared.alpha is None:
        return turn_back(prepared, pixels)
    assert drawn.alpha is not None  # choose_alpha asks for a generator that has it
    alpha = to_pixels(drawn.alpha) if prepared.is_crop else _paste(prepared.alpha, drawn.window, drawn.alpha)
    return turn_back(prepared, take_off_white(pixels, alpha))


def turn_back(prepared: PreparedSource, pixels: Pixels) -> Pixels:
    """Turn a result as the source's picture was given.

    Args:
        prepared: The source, its face upright.
        pixels: The result (H, W, C) uint8, its face upright.

    Returns:
        The result as the source lies.
    """
    return np.ascontiguousarray(np.rot90(pixels, -prepared.turns)) if prepared.turns else pixels


def show_source(prepared: PreparedSource) -> Pixels:
    """Show a source as its results do, unmoved.

    Args:
        prepared: The source.

    Returns:
        Its crop or the whole picture (H, W, 3) uint8; (H, W, 4) if it keeps its alpha.
    """

    def cut(pixels: Pixels) -> Pixels:
        return copy_square(pixels, prepared.crop, prepared.size) if prepared.is_crop else pixels

    picture = cut(prepared.picture)
    shown = picture if prepared.alpha is None else take_off_white(picture, cut(prepared.alpha))
    return turn_back(prepared, shown)


def set_back(drawn: DrawnFrame) -> Pixels:
    """Set the view of a frame back into the frame that it was cut from.

    Args:
        drawn: A frame of another tool's video.

    Returns:
        The frame (H, W, 3) uint8, as it was where it shows no face.
    """
    assert drawn.picture is not None
    return drawn.picture if drawn.crop is None else _paste(drawn.picture, drawn.window, drawn.view)


def share_work(animation: CoarseAnimation | None, refiners: Sequence[Refiner]) -> tuple[int, int]:
    """Choose how frames are made.

    Args:
        animation: Draws them, if a coarse generator does.
        refiners: Render each of them.

    Returns:
        Threads in which frames are made at once, and the frames that are made together where there is one thread.
    """
    workers = [refiner.workers for refiner in refiners] + ([] if animation is None else [animation.workers])
    return min(workers), max((refiner.batch for refiner in refiners), default=1)


def _paste(picture: Pixels, window: Square, view: Tensor) -> Pixels:
    """The drawn window in its picture, its border soft; a window that is the whole picture has no border."""
    if picture.shape[:2] == (window.side, window.side) and (window.left, window.top) == (0, 0):
        return to_pixels(view)
    return paste_square(picture, window, view, feather_mask(window.side))
