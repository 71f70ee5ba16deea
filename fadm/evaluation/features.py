"""Features of pictures for the metrics: each network runs once on a picture, on first use, and the result is cached."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from threading import Lock, local
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.attributes.landmark_model import LandmarkModel, load_landmark_model
from fadm.blendshapes import NUM_BLENDSHAPES
from fadm.errors import PackageError
from fadm.face.coefficients import estimate_blendshapes
from fadm.face.selection import track_pictures
from fadm.face.tracker import FaceTracker
from fadm.media.crop import to_tensor
from fadm.metrics import identity, perceptual
from fadm.metrics.distribution import FID_NAME, FRECHET_NAME, KERNEL_NAME, KID_NAME
from fadm.metrics.eye_pixels import measure_eye_pixels
from fadm.metrics.following import measure_eyes
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


class Stopwatch:
    """Seconds by part, summed over threads; the time of a nested part is not counted in the outer one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._lock, self._thread = Lock(), local()

    @contextmanager
    def time(self, part: str) -> Iterator[None]:
        """Time a block.

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
        """Take the seconds by part since the last call."""
        with self._lock:
            taken, self.seconds = dict(self.seconds), defaultdict(float)
        return taken


class FeatureExtractors:
    """The networks and the tracker that groups of metrics need.

    Attributes:
        watch: Times each network.
        missing: Reason by metric that cannot be measured.
        tracker: Finds faces.
        model: Fits attributes to landmarks.
        efficientnet: EfficientNet-Lite0, None where it is not needed.
        lpips: The LPIPS networks that are installed.
        pools: Functions by network that turn pictures (B, 3, H, W) into features (B, D).
        fan: FAN, None where it is not needed or not installed.
        embedders: Identity networks by name.
        digests: SHA-256 of the files of identity networks that the user gave, by name.
    """

    def __init__(self, groups: Sequence[str], arcface: Path | None = None) -> None:
        """Load the networks.

        Args:
            groups: Groups of metrics.
            arcface: File of an ArcFace network.

        Raises:
            WeightsError: The ArcFace file is no such network.
            PackageError: ArcFace is given and onnxruntime is missing.
        """
        self.watch = Stopwatch()
        self.missing: dict[str, str] = {}
        self.tracker = FaceTracker(is_video=False)
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
        self.digests = {name: network.digest for name, network in self.embedders.items() if network.digest}

    def close(self) -> None:
        """Close the tracker."""
        self.tracker.close()

    def _load_embedders(self, arcface: Path | None) -> dict[str, FaceEmbedder]:
        """Load dlib's network where it is installed, and ArcFace where its file is given."""
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
    """A picture and its features, which are computed on first use.

    Attributes:
        pixels: The picture (H, W, 3) uint8 RGB.
    """

    def __init__(self, pixels: Pixels, extractors: FeatureExtractors) -> None:
        """Keep the picture.

        Args:
            pixels: The picture (H, W, 3) uint8 RGB.
            extractors: The networks.
        """
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
    def coefficients(self) -> Tensor:
        """Blendshape coefficients (52,) of the largest face, NaN without one."""
        if not self.has_face:
            return torch.full((NUM_BLENDSHAPES,), torch.nan)
        with self._extractors.watch.time("blendshapes"):
            return torch.from_numpy(estimate_blendshapes(self.landmarks.numpy()))

    @cached_property
    def eyes(self) -> Tensor:
        """Lid opening and iris position by landmarks, then by pixels (10,), NaN where they are not seen."""
        landmarks = self.landmarks[None]
        by_landmarks = measure_eyes(landmarks)
        by_pixels = measure_eye_pixels(to_tensor(self.pixels), landmarks)
        is_shut = by_landmarks[:, 2:4].isnan()  # of the right and the left iris
        by_pixels[:, 2:].masked_fill_(is_shut, torch.nan)
        return torch.cat([by_landmarks, by_pixels], dim=1)[0]

    @cached_property
    def features(self) -> list[Tensor]:
        """EfficientNet-Lite0's outputs at strides 2, 4, 8, 16, 32."""
        assert self._extractors.efficientnet is not None
        with self._extractors.watch.time(EFFICIENTNET), torch.inference_mode():
            return self._extractors.efficientnet.features(self.picture)

    def pool(self, network: str) -> Tensor:
        """Compute pooled features of the whole picture.

        Args:
            network: Name in `FeatureExtractors.pools`.

        Returns:
            Features (D,).
        """
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
        """Embed the identity of the face.

        Args:
            network: Name in `FeatureExtractors.embedders`.

        Returns:
            Embedding (D,), NaN without a face.
        """
        if network not in self._embedded:
            landmarks = self.landmarks
            with self._extractors.watch.time(network):
                embedder = self._extractors.embedders[network]
                self._embedded[network] = embed_pictures(self.picture, landmarks[None], embedder)[0]
        return self._embedded[network]

    def forget(self) -> None:
        """Free what takes much memory; it is computed again on the next use."""
        for name in ("picture", "features"):
            vars(self).pop(name, None)
