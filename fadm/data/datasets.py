"""Which sample comes when. Each is a function of the seed and its number alone, so nothing needs to be remembered.

Sample j of step k has the number k * batch_size + j, whoever computes it: one process or many, at once or resumed.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from fadm.attributes.landmark_model import fit_face, load_landmark_model
from fadm.attributes.rotation import axis_angle_to_matrix
from fadm.coarse.face_vid2vid.head_pose import rotation_angles
from fadm.data.clips import Face, read_face
from fadm.data.pairs.generators import CoarsePair
from fadm.data.pairs.store import CoarsePairs
from fadm.data.shards import Pixels, TrackedClip
from fadm.errors import ConfigError
from fadm.face.masks import draw_attention

Member = TypeVar("Member")
Sample = dict[str, Tensor]

# The papers' jitter (FOMM's released augmentation): factors up to 1 +- these, hue up to this share of the circle.
BRIGHTNESS = CONTRAST = SATURATION = 0.1
HUE = 0.02  # theirs is 0.1, which makes skin green
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


class StepBatches(Sampler[list[int]]):
    """Numbers of the samples that one process computes, a list for each of its micro-batches.

    From step `first` to before `last`; of each step's batch_size samples process `rank` takes every world-th, in
    `accumulation` lists. Raises ConfigError where they cannot be shared out evenly.
    """

    def __init__(
        self, first: int, last: int, batch_size: int, *, accumulation: int = 1, rank: int = 0, world: int = 1
    ) -> None:
        if batch_size % (accumulation * world):
            raise ConfigError(
                f"a batch of {batch_size} cannot be shared out among {world} processes in {accumulation} parts each; "
                "choose a multiple"
            )
        self.steps, self.batch_size = range(first, last), batch_size
        self.accumulation, self.rank, self.world = accumulation, rank, world

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps:
            own = range(step * self.batch_size + self.rank, (step + 1) * self.batch_size, self.world)
            size = len(own) // self.accumulation
            yield from (list(own[start : start + size]) for start in range(0, len(own), size))

    def __len__(self) -> int:
        return len(self.steps) * self.accumulation


class RendererSamples(Dataset[Sample]):
    """What a renderer is trained on: every person equally often, whatever the number of their clips.

    People of stills have a share of the samples of their own.

    Each sample: source, driving and coarse (3, S, S) uint8, attention (1, S, S) uint8 (where people look), landmarks
    (478, 3) of the driving frame in pixels, attributes_source and attributes_driving (56,), seed () and, where the
    pairs hold them, person (2, S, S) uint8 (probability of person in source and coarse frame) and confidence
    (1, S, S) uint8 (trust in the coarse frame).
    """

    def __init__(
        self,
        pairs: CoarsePairs,
        seed: int,
        *,
        stills: CoarsePairs | None = None,
        stills_share: float = 0.0,
        is_jittered: bool = True,
    ) -> None:
        """Choose the pairs.

        Args:
            pairs: Made by the animation path (`build_coarse_pairs`).
            seed: Of all draws.
            stills: Pairs of stills.
            stills_share: Share of the samples that are of stills, where there are any.
            is_jittered: Whether colours are jittered.
        """
        self.seed, self.is_jittered = seed, is_jittered
        self.parts = [(pairs, pairs.groups())] + ([] if stills is None else [(stills, stills.groups())])
        self.stills_share = stills_share if stills is not None else 0.0

    def __getitem__(self, number: int) -> Sample:
        rng, source, driving, pair = self.draw(number)
        pictures = {"source": source, "driving": driving.pixels, "coarse": pair.coarse}
        if self.is_jittered:
            pictures = jitter_colors(pictures, rng)
        tensors = {name: to_channels(pixels) for name, pixels in pictures.items()}
        if pair.person is not None:
            tensors["person"] = torch.from_numpy(pair.person)
        if pair.confidence is not None:
            tensors["confidence"] = torch.from_numpy(pair.confidence)[None]
        return tensors | {
            "attention": draw_attention(driving.landmarks, len(driving.pixels)),
            "landmarks": torch.from_numpy(driving.landmarks),
            "attributes_source": torch.from_numpy(pair.attributes[0]),
            "attributes_driving": torch.from_numpy(pair.attributes[1]),
            "seed": torch.tensor(int(rng.integers(2**62))),
        }

    def draw(self, number: int) -> tuple[np.random.Generator, Pixels, Face, CoarsePair]:
        """Draw the pair of a sample.

        Args:
            number: The sample's number.

        Returns:
            The source of the sample's further random numbers, the source picture (S, S, 3), the driving frame and what
            is stored of the pair.
        """
        rng = np.random.default_rng((self.seed, number))
        pairs, people = self.parts[int(rng.random() < self.stills_share)]
        row = _choose(rng, _choose(rng, people))
        return rng, *pairs.frames(row), pairs.coarse(row)


class ClipSamples(Dataset[Sample]):
    """What a coarse generator is trained on: two frames of a clip, every person equally often.

    Each sample: source and driving (3, S, S) uint8, pose (3,) yaw, pitch and roll of the driving head in degrees,
    seed ().
    """

    def __init__(self, clips: Sequence[TrackedClip], size: int, seed: int, *, is_jittered: bool = True) -> None:
        people: dict[str, list[TrackedClip]] = {}
        for clip in clips:
            people.setdefault(clip.identity, []).append(clip)
        self.people, self.size, self.seed, self.is_jittered = list(people.values()), size, seed, is_jittered

    def __getitem__(self, number: int) -> Sample:
        rng = np.random.default_rng((self.seed, number))
        clip = _choose(rng, _choose(rng, self.people))
        mirrored = bool(rng.integers(2))
        names, frames = ("source", "driving"), rng.choice(len(clip.pictures), 2, replace=False)
        faces = {n: read_face(clip, int(f), self.size, mirrored) for n, f in zip(names, frames, strict=True)}
        pictures = {name: face.pixels for name, face in faces.items()}
        if self.is_jittered:
            pictures = jitter_colors(pictures, rng)
        return {name: to_channels(pixels) for name, pixels in pictures.items()} | {
            "pose": _head_angles(faces["driving"]),
            "seed": torch.tensor(int(rng.integers(2**62))),
        }


def jitter_colors(pictures: dict[str, Pixels], rng: np.random.Generator) -> dict[str, Pixels]:
    """Change brightness, contrast, saturation and hue of all pictures by one random linear map of colours.

    Args:
        pictures: Pictures (H, W, 3) uint8 by name.
        rng: Source of the random numbers.

    Returns:
        The changed pictures by name.
    """
    brightness, contrast, saturation = 1 + rng.uniform(-1, 1, 3) * (BRIGHTNESS, CONTRAST, SATURATION)
    grey = np.outer(np.ones(3), LUMINANCE)
    matrix = saturation * np.eye(3) + (1 - saturation) * grey
    matrix = brightness * contrast * matrix @ _turn_hue(rng.uniform(-HUE, HUE) * 2 * np.pi)
    mean = float(np.mean([pixels.mean() for pixels in pictures.values()]))
    offset = (1 - contrast) * brightness * mean  # Pillow itself rounds to the nearest
    rows = tuple(np.column_stack([matrix, np.full(3, offset)]).ravel().tolist())
    return {n: np.asarray(Image.fromarray(pixels).convert("RGB", rows)) for n, pixels in pictures.items()}


def _turn_hue(angle: float) -> np.ndarray:
    """Compute the rotation (3, 3) of colours about the grey axis."""
    axis = np.full(3, 3**-0.5)
    cross = np.cross(np.eye(3), axis)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def to_channels(pixels: Pixels) -> Tensor:
    """Move the channels of a picture to the front.

    Args:
        pixels: Picture (H, W, 3) uint8.

    Returns:
        Picture (3, H, W) uint8.
    """
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def _head_angles(face: Face) -> Tensor:
    """Compute yaw, pitch and roll (3,) in degrees by the landmark model."""
    head = fit_face(_landmark_model(), torch.from_numpy(face.landmarks)).attributes.head
    return rotation_angles(axis_angle_to_matrix(head))[0]


_landmark_model = cache(load_landmark_model)  # read once in each worker


def _choose(rng: np.random.Generator, members: Sequence[Member]) -> Member:
    return members[int(rng.integers(len(members)))]
