"""Frames of clips for evaluations, cached with their features."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.data.clips import StoredFaces, open_pictures, scale_landmarks
from fadm.data.shards import TrackedClip
from fadm.errors import InputError
from fadm.evaluation.features import FeatureExtractors, FrameFeatures
from fadm.evaluation.pairs import Case
from fadm.media.frames import FrameSource

Pixels = NDArray[np.uint8]

MOST_KEPT = 64  # frames of clips whose features are cached


class ClipFrames:
    """Frames of clips by key and number; the latest ones are cached with their features.

    A clip without stored landmarks (a plain file) may have any shape; the tracker finds its faces.

    Attributes:
        faces: Landmarks of the frames that were read for animation, for the animator's tracker.
        identity: Function that fits the identity (1, I) of a clip's person, by the clip's key; cached.
    """

    def __init__(self, clips: Sequence[TrackedClip], extractors: FeatureExtractors) -> None:
        """Keep the clips.

        Args:
            clips: The clips.
            extractors: The networks.
        """
        self.faces = StoredFaces()
        self._clips = {clip.key: clip for clip in clips}
        self._extractors = extractors
        self._kept: OrderedDict[tuple[str, int], FrameFeatures] = OrderedDict()
        self.identity = cache(self._fit_identity)

    def clip(self, key: str) -> TrackedClip:
        """Get a clip.

        Args:
            key: Its key.

        Returns:
            The clip.
        """
        return self._clips[key]

    def features(self, key: str, frame: int) -> FrameFeatures:
        """Read a frame; its features are computed on first use.

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
        """Read the source of a case and give its face to the animator's tracker.

        Args:
            case: The case.

        Returns:
            The source frame (S, S, 3).
        """
        return self._read_tracked(case.source_clip, case.source_frame)

    def driver(self, case: Case) -> FrameSource:
        """Open the driving frames of a case; reading one gives its face to the animator's tracker.

        Args:
            case: The case.

        Returns:
            The driver.
        """
        key = case.driving_clip
        height, width = self.features(key, case.driving_frames[0]).pixels.shape[:2]
        return open_pictures(key, [partial(self._read_tracked, key, n) for n in case.driving_frames], (width, height))

    def landmarks(self, key: str, frames: Sequence[int]) -> NDArray[np.float32]:
        """Get the landmarks of several frames, stored in the clip or tracked.

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
        """Fit the identity (1, I) of a clip's person to its stored landmarks, else to those of its first frames."""
        clip, model = self._clips[key], self._extractors.model
        frames = range(len(clip.landmarks) or min(len(clip.pictures), MOST_KEPT))
        landmarks = torch.from_numpy(self.landmarks(key, frames))
        seen = landmarks[landmarks.isfinite().all(dim=2).all(dim=1)]
        return model.fit(seen if len(seen) else model.mean[None])[1]
