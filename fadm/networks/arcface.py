"""ArcFace, the identity network behind most published CSIM, from a file that the user provides."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fadm.errors import WeightsError
from fadm.face.topology import EYES, MOUTH_CORNERS
from fadm.media.crop import to_tensor
from fadm.metrics.alignment import fit_similarity, warp_by_similarity
from fadm.optional import require

SIDE = 112
NOSE_TIP = 1
# Places (x, y) of the eyes, the tip of the nose and the mouth's corners in the aligned face, the picture's left
# first (Deng et al., "ArcFace", arXiv 1801.07698, section 3.1: five points, 112x112).
TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))


class ArcFaceEmbedder:
    """An ArcFace network in ONNX, as InsightFace distributes them; see `FaceEmbedder`.

    The network takes RGB pictures (1, 3, 112, 112) in [-1, 1]. The face is aligned by five of our landmarks (the eyes'
    as the mean of their lids), not by InsightFace's detector. There are several ArcFace networks: numbers compare only
    under one file, which runs identify by its hash.

    Args:
        path: The ONNX file.

    Raises:
        PackageError: The package onnxruntime is missing.
        WeightsError: There is no such file, or it is not such a network.
    """

    name = "arcface"

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise WeightsError(f"there is no file '{path}'; give an ArcFace network in ONNX")
        runtime = require("onnxruntime", package="onnxruntime", purpose="csim_arcface", extra=None)
        try:
            self._session: Any = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            self._input = self._session.get_inputs()[0].name
            with path.open("rb") as file:
                self.digest = hashlib.file_digest(file, "sha256").hexdigest()
            self.size = self._run(np.zeros((1, 3, SIDE, SIDE), np.float32)).size
        except Exception as error:  # onnxruntime raises errors of its own
            raise WeightsError(
                f"'{path}' is no ArcFace network in ONNX that takes (1, 3, {SIDE}, {SIDE}) pictures "
                f"({str(error).splitlines()[0]}); give the recognition model of an InsightFace pack, such as "
                "w600k_r50.onnx"
            ) from error

    def embed(self, pixels: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `FaceEmbedder`."""
        return self._run(2 * align_face(pixels, landmarks) - 1).astype(np.float64).reshape(-1)

    def _run(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._session.run(None, {self._input: picture})[0]


def align_face(pixels: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Align a face to the template of ArcFace; outside the frame is black.

    Args:
        pixels: The frame (H, W, 3), uint8.
        landmarks: Landmarks of its face (478, 3), in the frame's pixels.

    Returns:
        The aligned face (1, 3, 112, 112) in [0, 1].
    """
    eyes = [landmarks[[*upper, *lower[1:-1]], :2].mean(axis=0) for upper, lower, _ in EYES]
    points = np.stack([*eyes, landmarks[NOSE_TIP, :2], *landmarks[list(MOUTH_CORNERS), :2]])
    found = fit_similarity(torch.tensor(TEMPLATE)[None], torch.from_numpy(points).float()[None])
    return warp_by_similarity(to_tensor(pixels), *found, (SIDE, SIDE), outside="zeros").numpy()
