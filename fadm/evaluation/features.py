"""What the networks see in a picture: each looks at it once, when first asked, however many metrics use it."""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, cached_property, partial
from pathlib import Path
from threading import Lock, local
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.attributes.landmark_model import LandmarkModel, load_landmark_model
from fadm.data.clips import StoredFaces, open_pictures
from fadm.data.shards import TrackedClip
from fadm.errors import InputError, PackageError
from fadm.evaluation.pairs import Case
from fadm.face.selection import track_pictures
from fadm.face.tracker import MediaPipeTracker
from fadm.media.crop import to_tensor
from fadm.media.frames import FrameSource
from fadm.metrics import identity, perceptual
from fadm.metrics.distribution import FID_NAME, FRECHET_NAME, KERNEL_NAME, KID_NAME
from fadm.networks import fan
from fadm.networks.arcface import ArcFaceEmbedder
from fadm.networks.dlib_embedder import DlibEmbedder
from fadm.networks.efficientnet import EfficientNetLite0, load_efficientnet_lite0
from fadm.networks.face_embedder import FaceEmbedder, embed_pictures
from fadm.networks.fan import FAN
from fadm.networks.inception import load_inception, pool_efficientnet
from fadm.networks.lpips import FILES, LPIPS, load_lpips

Pixels = NDArray[np.uint8]
Pool = Callable[[Tensor], Tensor]  # pictures (B, 3, H, W) -> features (B, D)

EFFICIENTNET, INCEPTION = "EfficientNet-Lite0", "Inception"
ASK_FOR_ARCFACE = "give an ArcFace network in ONNX with --arcface FILE, such as InsightFace's w600k_r50.onnx"
MOST_KEPT = 64  # frames of clips of which everything seen is kept


class Stopwatch:
    """Seconds by part, summed over threads; a part within another counts for itself alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._lock, self._thread = Lock(), local()

    @contextmanager
    def time(self, part: str) -> Iterator[None]:
        """Time what is done in the block.

        Args:
            part: Its name.
        """
        inner: list[float] = self._thread.__dict__.setdefault("inner", [0.0])
        inner.append(0.0)
        start = time.perf_counter()
        try:
            yield
        finally:
            passed = time.perf_counter() - start
            own = passed - inner.pop()
            inner[-1] += passed
            with self._lock:
                self.seconds[part] += own

    def take(self) -> dict[str, float]:
        """Give what was timed since the last call, seconds by part."""
        with self._lock:
            taken, self.seconds = dict(self.seconds), defaultdict(float)
        return taken


class FeatureExtractors:
    """The networks and the tracker that the groups of metrics need; `missing`: metrics without, and why.

    told: what decides their numbers beside the versions of packages.
    """

    def __init__(self, groups: Sequence[str], arcface: Path | None = None) -> None:
        """arcface: file of an ArcFace network. Raises WeightsError or PackageError where it cannot be used."""
        self.watch = Stopwatch()
        self.missing: dict[str, str] = {}
        self.tracker = MediaPipeTracker(is_video=False)
        self.model: LandmarkModel = load_landmark_model()
        needs_pictures = "perceptual" in groups or "distribution" in groups
        self.efficientnet: EfficientNetLite0 | None = self._load(
            (perceptual.NAME, FRECHET_NAME, KERNEL_NAME), load_efficientnet_lite0, needs_pictures
        )
        found = [self._load((f"lpips_{net}",), partial(load_lpips, net), "perceptual" in groups) for net in FILES]
        self.lpips: list[LPIPS] = [network for network in found if network is not None]
        self.pools: dict[str, Pool] = {}
        if self.efficientnet is not None:
            self.pools[EFFICIENTNET] = partial(pool_efficientnet, self.efficientnet)
        inception: Pool | None = self._load((FID_NAME, KID_NAME), load_inception, "distribution" in groups)
        if inception is not None:
            self.pools[INCEPTION] = inception
        self.fan: FAN | None = self._load((fan.NAME,), FAN, "landmarks" in groups)
        self.embedders: dict[str, FaceEmbedder] = self._load_embedders(arcface) if "identity" in groups else {}
        self.told = {name: network.digest for name, network in self.embedders.items() if network.digest}

    def close(self) -> None:
        """Give back what the tracker holds."""
        self.tracker.close()

    def _load_embedders(self, arcface: Path | None) -> dict[str, FaceEmbedder]:
        """dlib's where it is, ArcFace where its file is given; what was given must work."""
        names = {name: [f"{metric}_{name}" for metric in identity.DISTANCES] for name in ("dlib", "arcface")}
        dlib = self._load(names["dlib"], DlibEmbedder, True)
        found: dict[str, FaceEmbedder] = {} if dlib is None else {"dlib": dlib}
        if arcface is None:
            self.missing |= dict.fromkeys(names["arcface"], ASK_FOR_ARCFACE)
            return found
        return found | {"arcface": ArcFaceEmbedder(arcface)}

    def _load(self, metrics: Sequence[str], load: Callable[[], Any], is_needed: bool) -> Any:
        try:
            return load() if is_needed else None
        except PackageError as error:
            self.missing |= dict.fromkeys(metrics, str(error).replace(str(Path.home()), "~"))
            return None


class FrameFeatures:
    """A picture of 8 bits, (H, W, 3), and what is seen in it."""

    def __init__(self, pixels: Pixels, extractors: FeatureExtractors) -> None:
        self.pixels, self._extractors = pixels, extractors
        self._pooled: dict[str, Tensor] = {}
        self._embedded: dict[str, Tensor] = {}

    @cached_property
    def picture(self) -> Tensor:
        """The picture (1, 3, H, W) in [0, 1]."""
        return to_tensor(self.pixels)

    @cached_property
    def landmarks(self) -> Tensor:
        """Landmarks of the largest face (478, 3) in pixels, NaN without one."""
        with self._extractors.watch.time("tracking"):
            return track_pictures(self.picture, self._extractors.tracker)[0]

    @cached_property
    def has_face(self) -> bool:
        """Whether the tracker found a face."""
        return bool(self.landmarks.isfinite().all())

    @cached_property
    def features(self) -> list[Tensor]:
        """EfficientNet-Lite0's outputs at strides 2, 4, 8, 16, 32."""
        assert self._extractors.efficientnet is not None
        with self._extractors.watch.time(EFFICIENTNET), torch.inference_mode():
            return self._extractors.efficientnet.features(self.picture)

    def pool(self, network: str) -> Tensor:
        """The whole picture in one of `FeatureExtractors.pools`: features (D,)."""
        if network not in self._pooled:
            with self._extractors.watch.time(f"{network}, pooled"), torch.inference_mode():
                self._pooled[network] = self._extractors.pools[network](self.picture)[0]
        return self._pooled[network]

    @cached_property
    def fan(self) -> Tensor:
        """FAN's landmarks (68, 2) in pixels, NaN without a face."""
        assert self._extractors.fan is not None
        landmarks = self.landmarks
        with self._extractors.watch.time("FAN"):
            return torch.from_numpy(self._extractors.fan.find(self.pixels, landmarks.numpy()))

    def embed(self, network: str) -> Tensor:
        """The face as one of `FeatureExtractors.embedders` describes it (D,), NaN without one."""
        if network not in self._embedded:
            landmarks = self.landmarks
            with self._extractors.watch.time(network):
                embedder = self._extractors.embedders[network]
                self._embedded[network] = embed_pictures(self.picture, landmarks[None], embedder)[0]
        return self._embedded[network]

    def forget(self) -> None:
        """Let go of what takes much memory; it is made again when asked for."""
        for name in ("picture", "features"):
            vars(self).pop(name, None)


class ClipFrames:
    """Frames of clips by key and number, the latest ones kept with what was seen in them.

    A clip without stored landmarks (a plain file) may have any shape; its faces are those that the tracker finds.

    Attributes:
        faces: The clips' stored landmarks of the frames that were animated, for the animator's tracker.
    """

    def __init__(self, clips: Sequence[TrackedClip], extractors: FeatureExtractors) -> None:
        """Keep the clips.

        Args:
            clips: The clips.
            extractors: The networks that see their frames.
        """
        self.faces = StoredFaces()
        self._clips = {clip.key: clip for clip in clips}
        self._extractors = extractors
        self._kept: OrderedDict[tuple[str, int], FrameFeatures] = OrderedDict()
        self.identity = cache(self._fit_identity)

    def clip(self, key: str) -> TrackedClip:
        """Give the clip of that key."""
        return self._clips[key]

    def features(self, key: str, frame: int) -> FrameFeatures:
        """Read a frame and what is seen in it.

        Args:
            key: The clip.
            frame: Number of the frame, from 0.

        Returns:
            The frame.

        Raises:
            InputError: The picture is damaged, or not square in a tracked clip.
        """
        place = (key, frame)
        if place not in self._kept:
            pixels = self._clips[key].pictures[frame].read()
            if len(self._clips[key].landmarks) and pixels.shape[0] != pixels.shape[1]:
                raise InputError(f"{key}: frame {frame} is {pixels.shape[1]}x{pixels.shape[0]}; clips are square")
            self._kept[place] = FrameFeatures(pixels, self._extractors)
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(place)
        return self._kept[place]

    def source(self, case: Case) -> Pixels:
        """Read the source of a case, whose face the animator's tracker knows from then on.

        Args:
            case: The case.

        Returns:
            The source frame (S, S, 3).
        """
        return self._read_tracked(case.source_clip, case.source_frame)

    def driver(self, case: Case) -> FrameSource:
        """Open the driving frames of a case, whose faces the animator's tracker knows once they are read.

        Args:
            case: The case.

        Returns:
            The driver.
        """
        key = case.driving_clip
        height, width = self.features(key, case.driving_frames[0]).pixels.shape[:2]
        return open_pictures(key, [partial(self._read_tracked, key, n) for n in case.driving_frames], (width, height))

    def landmarks(self, key: str, frames: Sequence[int]) -> NDArray[np.float32]:
        """Give the faces of several frames, as the clip stores them or as tracked.

        Args:
            key: The clip.
            frames: Numbers of the frames.

        Returns:
            Landmarks (N, 478, 3) in pixels, NaN where there is no face.
        """
        stored = self._clips[key].landmarks
        if not len(stored):
            return np.stack([self.features(key, frame).landmarks.numpy() for frame in frames])
        return scale_landmarks(stored[list(frames)], len(self.features(key, frames[0]).pixels))

    def _read_tracked(self, key: str, frame: int) -> Pixels:
        pixels = self.features(key, frame).pixels
        self.faces.add(pixels, self.landmarks(key, [frame])[0])
        return pixels

    def _fit_identity(self, key: str) -> Tensor:
        """Identity (1, I) of the person in a clip: from all landmarks that it tells, else from its first frames."""
        clip, model = self._clips[key], self._extractors.model
        frames = range(len(clip.landmarks) or min(len(clip.pictures), MOST_KEPT))
        landmarks = torch.from_numpy(self.landmarks(key, frames))
        seen = landmarks[landmarks.isfinite().all(dim=2).all(dim=1)]
        return model.fit(seen if len(seen) else model.mean[None])[1]


def scale_landmarks(landmarks: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Landmarks in fractions of a crop's side -> in its pixels, whose centres are whole numbers."""
    return landmarks * side - np.array([0.5, 0.5, 0], np.float32)
