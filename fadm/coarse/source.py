"""Prepare a source picture: its size, its face, and the windows that are rendered."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.attributes.landmark_model import FittedFace, LandmarkModel, fit_face
from fadm.errors import OptionError
from fadm.face.landmarker import face_region
from fadm.face.region import count_turns, turn_points
from fadm.face.segmentation import segment_people
from fadm.face.topology import FACE_OVAL
from fadm.media.crop import Square, cut_square, resize_pixels, square_around, to_tensor
from fadm.options import DEFAULT_CROP_SIZE, LARGEST_CROP_SIZE, SourceOptions

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

CROP_SCALE = 1.75  # side of the crop in heights of the face, as in the field's VoxCeleb crops
REGION_SCALE = 2.8  # side of the region that may move
PERSON_SIZE = 256  # side in pixels of the picture in which the person is segmented
NETWORK_SIZE = 256  # side in pixels of the papers' networks


@dataclass(frozen=True)
class PreparedSource:
    """A source picture at the resolution of the result, with its fitted face.

    Attributes:
        picture: The picture (H, W, 3) uint8.
        face: Its fitted face, in the picture's pixels.
        is_crop: The result is the crop alone instead of the whole picture.
        size: Side in pixels at which a crop is written.
        is_whole: The crop is the whole picture (which is square), not a window around the face.
        alpha: Its alpha (H, W, 1) uint8 if the result is to have one; the picture is over white.
        turns: Quarter turns counter-clockwise that made the picture's face upright; results are turned back.
    """

    picture: Pixels
    face: FittedFace
    is_crop: bool
    size: int
    is_whole: bool = False
    alpha: Pixels | None = None
    turns: int = 0

    @cached_property
    def crop(self) -> Square:
        """The window around the face, inside the picture, which is given to networks."""
        size = self.picture.shape[:2]
        return Square(0, 0, len(self.picture)) if self.is_whole else square_around(self.oval, CROP_SCALE).fitted(size)

    @cached_property
    def region(self) -> Square:
        """The window around the face that may move."""
        return square_around(self.oval, REGION_SCALE)

    @property
    def view(self) -> Square:
        """The window that is drawn: the crop, or for a whole picture the region that may move."""
        return self.crop if self.is_crop else self.region

    @property
    def oval(self) -> FloatArray:
        """Outline of the face (36, 3) in the picture's pixels."""
        return self.face.landmarks[0, list(FACE_OVAL)].numpy()

    @cached_property
    def person(self) -> Tensor:
        """Probability (1, 1, 256, 256) that a place of the region shows the person."""
        return segment_people(cut_square(to_tensor(self.picture), self.region, PERSON_SIZE))


def fit_source(model: LandmarkModel, picture: Pixels, landmarks: FloatArray, options: SourceOptions) -> PreparedSource:
    """Turn a picture so that its face is upright, resize it to what the options allow, and fit the face.

    Args:
        model: The face model.
        picture: The source picture (H, W, 3) uint8.
        landmarks: Landmarks of the face (478, 3) in its pixels.
        options: Crop, window and size.

    Returns:
        The prepared source.

    Raises:
        OptionError: The window is the whole picture, and the picture is not square.
    """
    turns = count_turns(face_region(landmarks))
    if turns:
        landmarks = turn_points(landmarks, (len(picture), picture.shape[1]), turns)
        picture = np.ascontiguousarray(np.rot90(picture, turns))
    height, width = picture.shape[:2]
    is_whole = options.window == "picture"
    if is_whole and height != width:
        raise OptionError(f"--window picture: the source is {width}x{height}, not square; choose --window face")
    crop = square_around(landmarks[list(FACE_OVAL)], CROP_SCALE).fitted((height, width))
    side = height if is_whole else crop.side
    largest = options.size or (DEFAULT_CROP_SIZE if options.crop else LARGEST_CROP_SIZE)
    if side > largest:  # shrunk once, antialiased; the warp alone would flicker
        factor = largest / side
        picture = resize_pixels(picture, round(width * factor), round(height * factor))
        landmarks = (landmarks + 0.5) * np.float32(factor) - 0.5
    face = fit_face(model, torch.from_numpy(landmarks))
    return PreparedSource(picture, face, options.crop, options.size or DEFAULT_CROP_SIZE, is_whole, turns=turns)


def keep_alpha(prepared: PreparedSource, alpha: Pixels | None) -> PreparedSource:
    """Let the results of a source have its alpha.

    Args:
        prepared: The source, its picture over white.
        alpha: Its alpha (H, W) uint8 at the size that the picture was given in; None for an opaque source.

    Returns:
        The source with its alpha at the picture's resolution.
    """
    if alpha is None:
        return prepared
    alpha = np.rot90(alpha, prepared.turns)
    height, width = prepared.picture.shape[:2]
    is_fitting = alpha.shape == (height, width)
    return replace(prepared, alpha=(alpha if is_fitting else resize_pixels(alpha, width, height))[..., None])
