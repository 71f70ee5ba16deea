"""Face embeddings by dlib's network, whose weights a package carries."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadm.errors import PackageError
from fadm.face.topology import NUM_SURFACE
from fadm.media.crop import square_around
from fadm.optional import require

EMBEDDING_SIZE = 128
CHIP_SIDE, CHIP_PADDING = 150, 0.25
BOX_SCALE = 0.91  # side of dlib's detection over the longer side of the landmarks' box, the median of tracked clips
MODELS_PACKAGE = "face_recognition_models"
ALIGNMENT_FILE = "shape_predictor_5_face_landmarks.dat"
EMBEDDING_FILE = "dlib_face_recognition_resnet_model_v1.dat"


class DlibEmbedder:
    """Face recognition network of dlib (King, 2017), with embeddings of 128 numbers; see `FaceEmbedder`.

    The face is located by its landmarks, not by dlib's detector, which misses turned faces; the embeddings of both ways
    have a cosine of 0.9997 in the median. The scale is narrow: on our validation clips two people have a cosine of 0.83
    in the median, two frames of one shot 0.98.

    Raises:
        PackageError: The package dlib-bin or face-recognition-models is missing.
    """

    name = "dlib"
    size = EMBEDDING_SIZE
    digest = ""

    def __init__(self) -> None:
        dlib = require("dlib", package="dlib-bin", purpose="csim_dlib")
        spec = find_spec(MODELS_PACKAGE)  # never imported: its __init__ needs what setuptools no longer has
        if spec is None or spec.origin is None:
            raise PackageError(
                "csim_dlib needs the package face-recognition-models, which is not installed: "
                "`pip install face-recognition-models`, or `pip install '.[eval]'` in fadm's folder for all "
                "packages of that extra"
            )
        folder = Path(spec.origin).parent / "models"
        self._dlib: Any = dlib
        self._align = dlib.shape_predictor(str(folder / ALIGNMENT_FILE))
        self._network = dlib.face_recognition_model_v1(str(folder / EMBEDDING_FILE))

    def embed(self, pixels: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `FaceEmbedder`."""
        box = square_around(landmarks[:NUM_SURFACE], BOX_SCALE)
        rectangle = self._dlib.rectangle(box.left, box.top, box.left + box.side - 1, box.top + box.side - 1)
        aligned = self._align(pixels, rectangle)
        chip = self._dlib.get_face_chip(pixels, aligned, CHIP_SIDE, CHIP_PADDING)
        return np.array(self._network.compute_face_descriptor(chip))
