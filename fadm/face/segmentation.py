"""Where the person is, by MediaPipe's selfie segmentation (its model is inside the wheel)."""

import threading

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.face.solutions import load_solution
from fadm.face.tracker import silent_native_log
from fadm.media.crop import to_pixels

_models = threading.local()  # one each: making one takes as long as using it three times


def segment_person(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Picture (H, W, 3) with one person -> probability of person (H, W)."""
    if not hasattr(_models, "selfie"):
        with silent_native_log():
            _models.selfie = load_solution("selfie_segmentation").SelfieSegmentation(model_selection=0)
            _models.selfie.process(np.zeros((1, 1, 3), np.uint8))  # it starts with its first picture
    return np.array(_models.selfie.process(pixels).segmentation_mask, np.float32)


def segment_people(pictures: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) in 0..1 with one person each -> probability of person (B, 1, H, W)."""
    masks = [segment_person(to_pixels(picture)) for picture in pictures.split(1)]
    return torch.from_numpy(np.stack(masks))[:, None].to(pictures.device)
