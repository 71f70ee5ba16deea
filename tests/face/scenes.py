"""Short scenes of two people, made of the carphone clip and the astronaut."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from fadm.media.crop import resize_pixels
from fadm.media.image import read_image
from fadm.media.reader import open_frames
from tests.media.samples import ASTRONAUT, CARPHONE

Pixels = NDArray[np.uint8]

HEIGHT, WIDTH = 164, 330
DRIVER_AT = (10, 60)  # row and column of the clip's corner


@cache
def carphone(count: int) -> list[Pixels]:
    """The first frames of the clip, (144, 193, 3) each."""
    return [frame.pixels for frame in islice(iter(open_frames(CARPHONE)), count)]


@cache
def astronaut(height: int) -> tuple[Pixels, NDArray[np.float32]]:
    """The astronaut's head, and how much it covers what lies behind it."""
    head = read_image(ASTRONAUT)[20:260, 110:340]
    width = round(height * head.shape[1] / head.shape[0])
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return resize_pixels(head, width, height), np.clip(6 * (1 - np.hypot(x, y)), 0, 1)[..., None].astype(np.float32)


def paste(picture: Pixels, head: Pixels, cover: NDArray[np.float32], left: int, top: int) -> None:
    """Lay a head over a picture; it may reach beyond its sides."""
    first, last = max(left, 0), min(left + head.shape[1], picture.shape[1])
    if first < last:
        within, covered = slice(first - left, last - left), picture[top : top + len(head), first:last]
        share = cover[:, within]
        covered[:] = covered * (1 - share) + head[:, within] * share


def passing(count: int, place: Callable[[int], float]) -> Iterator[Pixels]:
    """The driver in a car, and the astronaut's head in front of him at the column that `place` gives for a frame."""
    for number, frame in enumerate(carphone(count)):
        picture = np.full((HEIGHT, WIDTH, 3), 110, np.uint8)
        top, left = DRIVER_AT
        picture[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
        paste(picture, *astronaut(130), left=round(place(number)), top=15)
        yield picture


def fading(before: int, during: int, after: int) -> Iterator[Pixels]:
    """The driver's frames pass into the astronaut's picture."""
    other = resize_pixels(read_image(ASTRONAUT)[:400], 193, 150)[:144]
    for number, frame in enumerate(carphone(before + during + after)):
        share = np.clip((number - before) / during, 0, 1)
        yield (frame * (1 - share) + other * share).astype(np.uint8)
