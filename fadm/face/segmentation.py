"""Person masks by MediaPipe's selfie segmentation, whose model is inside the wheel."""

import threading

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.face.solutions import load_solution
from fadm.face.tracker import silent_native_log
from fadm.media.crop import to_pixels

_models = threading.local()  # one for each thread: building one takes as long as three pictures


def segment_person(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Segment the person in a picture; each thread has a model of its own.

    Args:
        pixels: uint8 (H, W, 3) RGB with one person.

    Returns:
        Probability of the person at each pixel, float32 (H, W) in [0, 1].

    Raises:
        PackageError: MediaPipe cannot be loaded.
    """
    if not hasattr(_models, "selfie"):
        with silent_native_log():
            _models.selfie = load_solution("selfie_segmentation").SelfieSegmentation(model_selection=0)
            _models.selfie.process(np.zeros((1, 1, 3), np.uint8))  # the first picture starts the model
    return np.array(_models.selfie.process(pixels).segmentation_mask, np.float32)


def segment_people(pictures: Tensor) -> Tensor:
    """Segment the person in each of several pictures.

    Args:
        pictures: Pictures (B, 3, H, W) in [0, 1] with one person each.

    Returns:
        Probability of the person at each pixel (B, 1, H, W) in [0, 1].

    Raises:
        PackageError: MediaPipe cannot be loaded.
    """
    masks = [segment_person(to_pixels(picture)) for picture in pictures.split(1)]
    return torch.from_numpy(np.stack(masks))[:, None].to(pictures.device)
