"""Where the person is, by MediaPipe's selfie segmentation (its model is inside the wheel)."""

import numpy as np
from numpy.typing import NDArray

from fadm.face.tracker import silent_native_log


def segment_person(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Picture (H, W, 3) with one person -> probability of person (H, W)."""
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

    with silent_native_log(), SelfieSegmentation(model_selection=0) as model:
        return np.array(model.process(pixels).segmentation_mask, np.float32)
