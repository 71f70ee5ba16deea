"""Clips of made-up faces in the shards' format, so that everything that trains runs without any data.

The landmark model says where a random person's landmarks are while head, face and gaze move at random; they are
painted (fadm/data/synthetic/painting.py), so landmarks and pictures agree by construction.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from fadm.attributes.face_attributes import NUM_EXPRESSION, FaceAttributes
from fadm.attributes.landmark_model import LandmarkModel, load_landmark_model, pose_landmarks
from fadm.data.shard_writer import ShardWriter, pack_array
from fadm.data.shards import Pixels
from fadm.data.synthetic.head import make_up_head
from fadm.data.synthetic.painting import paint_background, paint_frame
from fadm.errors import OptionError
from fadm.face.topology import EYES
from fadm.files import explain_failure

FloatArray = NDArray[np.float32]

MOST_BYTES = 2**28  # of a shard
FRAMES_PER_SECOND = 25
QUALITY = 95  # of the JPEGs
SMALLEST = 64  # pixels
SPLITS = ("train", "val")

IDENTITY_DEVIATION = 0.8
EXPRESSION_DEVIATION = 0.7  # of the movement; a clip's mean expression has half of it
HEAD_DEVIATION = (0.1, 0.2, 0.07)  # pitch, yaw, roll in radians
JAW_DEVIATION = 0.12  # radians; the mouth opens half of the time
GAZE_DEVIATION = (0.03, 0.012)  # sideways, up and down, in model units
# In sides of the picture: pixels per model unit, then the place of the model's origin.
CAMERA_MEAN = (0.31, 0.5, 0.385)
CAMERA_DEVIATION = (0.02, 0.03, 0.02)  # from clip to clip; half of it within a clip


@dataclass(frozen=True, kw_only=True)
class SyntheticOptions:
    """How many clips of how many frames, and their size in pixels; every clip shows another person."""

    clips: int = 32
    validation_clips: int = 8
    frames: int = 12
    size: int = 256
    seed: int = 0


@dataclass(frozen=True)
class SyntheticClip:
    """What is known of a clip: pictures, T of (S, S, 3), and landmarks (T, 478, 3) in pixels."""

    pictures: list[Pixels]
    landmarks: FloatArray


def write_synthetic_shards(folder: Path, options: SyntheticOptions) -> tuple[list[Path], list[Path]]:
    """Write made-up clips -> the shards for training and those for validation; the same options, the same bytes.

    Raises OptionError for options out of range, OutputError where the folder cannot be written.
    """
    _check(options)
    with explain_failure(folder):
        folder.mkdir(parents=True, exist_ok=True)
    model = load_landmark_model()
    written: list[list[Path]] = []
    for number, (split, clips) in enumerate(zip(SPLITS, (options.clips, options.validation_clips), strict=True)):
        with ShardWriter(folder, f"synthetic-{split}", MOST_BYTES) as writer:
            for clip in range(clips):
                made = make_synthetic_clip(model, options, np.random.default_rng((options.seed, number, clip)))
                writer.write(_make_sample(f"synthetic-{split}-{options.seed}-{clip:05d}", made, options).items())
        written.append([folder / name for name in writer.names])
    return written[0], written[1]


def make_synthetic_clip(model: LandmarkModel, options: SyntheticOptions, draws: np.random.Generator) -> SyntheticClip:
    """One person who moves before a still background; every random number is one of the draws."""
    identity = IDENTITY_DEVIATION * _normal(draws, (1, model.config.num_identity))
    attributes = _draw_attributes(options.frames, options.size, draws)
    rest = FaceAttributes(*(part.mean(0, keepdim=True) for part in vars(attributes).values()))
    landmarks = _place_landmarks(model, identity, attributes).numpy()
    head = make_up_head(model.shape(identity)[0].numpy(), draws)
    background = paint_background(draws, options.size)
    pictures = [
        paint_frame(head, landmarks[frame], attributes[[frame]], rest, background) for frame in range(options.frames)
    ]
    return SyntheticClip(pictures, landmarks)


def _draw_attributes(num_frames: int, size: int, draws: np.random.Generator) -> FaceAttributes:
    """Attributes (T) of a head that moves smoothly about a random middle."""

    def walk(deviation: tuple[float, ...], middle: float = 0.5) -> Tensor:
        scale = torch.tensor(deviation)
        return scale * (_smooth_walk(draws, num_frames, len(deviation)) + middle * _normal(draws, (1, len(deviation))))

    jaw = torch.nn.functional.pad(walk((JAW_DEVIATION,), 0).relu(), (0, 2))
    camera = torch.tensor(CAMERA_MEAN) + 0.5 * walk(CAMERA_DEVIATION, 2.0)
    return FaceAttributes(
        expression=walk((EXPRESSION_DEVIATION,) * NUM_EXPRESSION),
        pose=torch.cat([walk(HEAD_DEVIATION), jaw], 1),
        camera=size * camera - torch.tensor([0, 0.5, 0.5]),
        gaze=walk(GAZE_DEVIATION, 0).repeat(1, 2),
    )


def _smooth_walk(draws: np.random.Generator, num_frames: int, channels: int) -> Tensor:
    """Curves (T, C) of unit deviation: each the sum of two waves, half a wave to one and a half in a clip."""
    turns, phases = draws.uniform(0.5, 1.5, (2, channels)), draws.uniform(0, 1, (2, channels))
    time = np.arange(num_frames)[:, None, None] / num_frames
    return torch.from_numpy(np.sin(2 * np.pi * (turns * time + phases)).sum(1).astype(np.float32))


def _place_landmarks(model: LandmarkModel, identity: Tensor, attributes: FaceAttributes) -> Tensor:
    """Landmarks (T, 478, 3) in pixels; irises lie between the corners of their eye and go with the gaze."""
    shape = model.shape(identity) + model.displacement(attributes.expression, attributes.jaw)
    for (upper, _, iris), gaze in zip(EYES, attributes.gaze.split(2, dim=1), strict=True):
        corners, mean = [upper[0], upper[-1]], model.mean[list(iris)]
        middle = shape[:, corners].mean(1, keepdim=True) - model.mean[corners].mean(0)
        shape[:, list(iris)] = mean + middle + torch.nn.functional.pad(gaze, (0, 1))[:, None]
    return pose_landmarks(shape, attributes)


def _make_sample(key: str, clip: SyntheticClip, options: SyntheticOptions) -> dict[str, bytes]:
    """The files of a clip by name. Landmarks are fractions of the picture, whose edges are 0 and 1."""
    info = {
        "clip": key,
        "identity": key,
        "frames": options.frames,
        "frame_numbers": list(range(options.frames)),
        "frames_per_second": FRAMES_PER_SECOND,
        "kind": "synthetic",
        "tier": "open",
        "source": "made-up faces of the package's landmark model",
        "terms": "Apache-2.0",
    }
    fractions = (clip.landmarks + np.array([0.5, 0.5, 0], np.float32)) / options.size
    digits = max(2, len(str(options.frames - 1)))
    files = {f"{key}.{index:0{digits}d}.jpg": _pack_jpeg(picture) for index, picture in enumerate(clip.pictures)}
    files[f"{key}.landmarks.npy"] = pack_array(fractions.astype(np.float16))
    files[f"{key}.json"] = json.dumps(info).encode()
    return files


def _pack_jpeg(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY, subsampling=0)
    return file.getvalue()


def _normal(draws: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(draws.normal(size=shape).astype(np.float32))


def _check(options: SyntheticOptions) -> None:
    smallest = {"clips": 1, "validation_clips": 0, "frames": 2, "size": SMALLEST, "seed": 0}
    for name, least in smallest.items():
        given = getattr(options, name)
        if given < least:
            raise OptionError(f"{name} {given} is out of range; choose at least {least}")
