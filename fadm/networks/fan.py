"""The 68 landmarks of FAN, on which the field's scripts measure AKD; face-alignment and its weights are optional."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadm.errors import PackageError
from fadm.face.topology import NUM_SURFACE
from fadm.optional import find_checkpoint, require

NAME = "akd_fan68"
NUM_FAN = 68
FAN_FILE = "2DFAN4-11f355bf06.pth.tar"
FAN_URL = f"https://www.adrianbulat.com/downloads/python-fan/{FAN_FILE}"


class FAN:
    """Landmark network of Bulat and Tzimiropoulos ("How far are we from solving ...", arXiv 1703.07332).

    FOMM's scripts use the same network; here our tracker locates the face, not their detector. Nothing is downloaded.

    Raises:
        PackageError: The package face-alignment 1.5 or its weights are missing.
    """

    def __init__(self) -> None:
        package = require("face_alignment", package="face-alignment", purpose=NAME, extra=None)
        find_checkpoint(None, FAN_FILE, url=FAN_URL, purpose=NAME)
        points = package.LandmarksType.TWO_D
        try:  # "folder" stands for a detector that needs no weights
            self._network: Any = package.FaceAlignment(
                points, device="cpu", flip_input=False, face_detector="folder", compile=False
            )
        except TypeError as error:
            raise PackageError(f"{NAME} needs face-alignment 1.5 or later: `pip install -U face-alignment`") from error

    def find(self, pixels: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Find the landmarks of one frame.

        Args:
            pixels: The frame (H, W, 3), uint8.
            landmarks: Our landmarks (478, 3) in pixels, NaN without a face; they locate the face.

        Returns:
            FAN's landmarks (68, 2) in pixels, NaN without a face.
        """
        if np.isnan(landmarks).any():
            return np.full((NUM_FAN, 2), np.nan, np.float32)
        surface = landmarks[:NUM_SURFACE, :2]
        box = np.concatenate([surface.min(axis=0), surface.max(axis=0)])
        return self._network.get_landmarks_from_image(pixels, detected_faces=[box])[0].astype(np.float32)
