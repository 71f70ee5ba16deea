"""Landmarks of all faces in a frame, by MediaPipe's face mesh, whose models are inside the wheel."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fadm.face.solutions import load_solution
from fadm.face.topology import FACE_OVAL, NUM_LANDMARKS
from fadm.media.crop import Square, copy_square

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

MAX_FACES = 4
DETECTION_SIDE = 1280  # a larger picture is searched at this length of its longer side
TILE, TILE_STRIDE = 320, 200  # in a tile of that side, in pixels, the detector finds faces of 24 pixels
CLOSE_UP = 2.0  # window around a detected face, in lengths of the detection's longer side
SETTLING_PASSES = 5  # runs of the tracking model on a frame with a new face until the landmarks are stable
SAME_FACE_DISTANCE = 0.5  # detections with nearer centres are one face, in widths of the face

_error_stream = threading.RLock()


class LandmarkTracker(Protocol):
    """Finds the 478 landmarks of each face; pass another tracker to `Animator` to replace MediaPipe."""

    def track(self, pixels: Pixels) -> list[FloatArray]:
        """Find the faces in the next frame.

        Args:
            pixels: uint8 (H, W, 3) RGB.

        Returns:
            Landmarks (478, 3) of each face in pixels: x right, y down, depth away from the camera. Pixel centres
            lie at whole numbers.
        """

    def reset(self) -> None:
        """Forget the previous frames at the start of a new shot."""

    def close(self) -> None:
        """Free the models."""


class MediaPipeTracker:
    """Tracks faces from frame to frame, or searches each picture by itself and more thoroughly.

    Args:
        is_video: Whether the frames follow each other; False makes the result independent of earlier pictures.
        max_faces: Largest number of faces per frame.
    """

    def __init__(self, *, is_video: bool = True, max_faces: int = MAX_FACES):
        self._is_video = is_video
        self._max_faces = max_faces
        self._models: dict[str, Any] = {}
        self._is_following = False

    def track(self, pixels: Pixels) -> list[FloatArray]:
        """See `LandmarkTracker`; faces too small for the tracking model are found in close-ups."""
        faces = [] if not self._is_video else self._follow(pixels)
        if not faces:
            windows = self._detect(pixels)
            if not windows and not self._is_video:
                windows = self._detect_in_tiles(pixels)
            for window in windows:
                scale = 256 / window.side
                close_up = copy_square(pixels, window, 256)
                offset = np.array([window.left, window.top, 0], np.float32)
                centred = np.array([0.5, 0.5, 0], np.float32)
                faces += [(f + centred) / scale - centred + offset for f in self._mesh("close-up", close_up)]
        if not self._is_video:
            step = _shrinking_step(pixels)
            faces += [face * np.float32(step) for face in self._mesh("close-up", _shrink(pixels))]
        return _without_repeats(faces)

    def reset(self) -> None:
        """See `LandmarkTracker`."""
        self._close_model("tracking")
        self._is_following = False

    def close(self) -> None:
        """See `LandmarkTracker`."""
        for name in list(self._models):
            self._close_model(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _close_model(self, name: str) -> None:
        model = self._models.pop(name, None)
        if model is not None:
            model.close()

    def _follow(self, pixels: Pixels) -> list[FloatArray]:
        """Find landmarks with the tracking model, which starts from the previous frame's landmarks."""
        faces = self._mesh("tracking", pixels)
        if faces and not self._is_following:
            for _ in range(SETTLING_PASSES - 1):
                faces = self._mesh("tracking", pixels) or faces
        self._is_following = bool(faces)
        return faces

    def _mesh(self, name: str, pixels: Pixels) -> list[FloatArray]:
        """Find landmarks with the mesh model of that name, in pixels of the given frame."""
        found = self._process(name, pixels).multi_face_landmarks or []
        height, width = pixels.shape[:2]
        size, half = np.array([width, height, width], np.float32), np.array([0.5, 0.5, 0], np.float32)
        return [
            np.array([(p.x, p.y, p.z) for p in face.landmark], np.float32).reshape(NUM_LANDMARKS, 3) * size - half
            for face in found
        ]

    def _detect(self, pixels: Pixels) -> list[Square]:
        """Find close-up windows around faces with the detector for distant faces."""
        height, width = pixels.shape[:2]
        windows = []
        for detection in self._process("detector", _shrink(pixels)).detections or []:
            box = detection.location_data.relative_bounding_box
            side = max(2, round(max(box.width * width, box.height * height) * CLOSE_UP))
            x, y = (box.xmin + box.width / 2) * width, (box.ymin + box.height / 2) * height
            windows.append(Square(round(x - side / 2), round(y - side / 2), side))
        return windows

    def _detect_in_tiles(self, pixels: Pixels) -> list[Square]:
        """Do the same tile by tile: the detector misses a face that is small against its picture."""
        step = _shrinking_step(pixels)
        height, width = pixels.shape[:2]
        windows = []
        for top in range(0, height, TILE_STRIDE * step):
            for left in range(0, width, TILE_STRIDE * step):
                tile = pixels[top : top + TILE * step : step, left : left + TILE * step : step]
                windows += [
                    Square(left + w.left * step, top + w.top * step, w.side * step)
                    for w in self._detect(np.ascontiguousarray(tile))
                ]
        return windows

    def _process(self, name: str, pixels: Pixels) -> Any:
        if name in self._models:
            return self._models[name].process(pixels)
        with silent_native_log():
            self._models[name] = self._build(name)
            return self._models[name].process(pixels)

    def _build(self, name: str) -> Any:
        if name == "detector":
            detection = load_solution("face_detection")
            return detection.FaceDetection(model_selection=1, min_detection_confidence=0.4)
        return load_solution("face_mesh").FaceMesh(
            static_image_mode=name == "close-up",
            max_num_faces=self._max_faces,
            refine_landmarks=True,
            min_detection_confidence=0.5,
        )


def face_box(landmarks: FloatArray) -> tuple[float, float, float, float]:
    """Compute the bounding box of a face.

    Args:
        landmarks: Landmarks (478, 2 or 3) in pixels.

    Returns:
        Left, top, right and bottom of the face's oval in pixels.
    """
    oval = landmarks[list(FACE_OVAL), :2]
    (left, top), (right, bottom) = oval.min(0), oval.max(0)
    return float(left), float(top), float(right), float(bottom)


def _without_repeats(faces: list[FloatArray]) -> list[FloatArray]:
    kept: list[FloatArray] = []
    for face in faces:
        left, _, right, _ = face_box(face)
        center = face[:, :2].mean(0)
        if all(np.linalg.norm(center - other[:, :2].mean(0)) > SAME_FACE_DISTANCE * (right - left) for other in kept):
            kept.append(face)
    return kept


def _shrink(pixels: Pixels) -> Pixels:
    """Take every n-th pixel of a large picture, which is enough to find faces."""
    step = _shrinking_step(pixels)
    return np.ascontiguousarray(pixels[::step, ::step])


def _shrinking_step(pixels: Pixels) -> int:
    return max(1, round(max(pixels.shape[:2]) / DETECTION_SIDE))


@contextmanager
def silent_native_log() -> Iterator[None]:
    """Suppress the notices that MediaPipe's C++ code writes to the error stream while a model starts.

    The stream belongs to the process, so one thread at a time enters the block; nested blocks have no effect.

    Yields:
        Nothing.
    """
    with _error_stream:
        saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(sink, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(sink)
