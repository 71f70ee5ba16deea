"""Clips of synthetic faces in the shards' format, so that training runs without any data.

The landmark model gives the landmarks of a random person while head, face and gaze move at random. The face is painted
there (fadm/data/synthetic/painting.py), so landmarks and pictures agree by construction.
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
from fadm.data.synthetic.head import make_synthetic_head
from fadm.data.synthetic.painting import paint_background, paint_frame
from fadm.face.landmarker import LANDMARK_MODEL
from fadm.face.topology import EYES
from fadm.files import explain_failure
from fadm.options import check_range

FloatArray = NDArray[np.float32]

MOST_BYTES = 2**28  # of a shard
FRAMES_PER_SECOND = 25
QUALITY = 95  # of the JPEGs
LEAST = {"clips": 1, "validation_clips": 0, "frames": 2, "size": 64, "seed": 0}
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
    """Number and size of synthetic clips; every clip shows another person.

    Attributes:
        clips: Training clips.
        validation_clips: Clips for validation.
        frames: Frames of each clip, at least 2.
        size: Side of the frames in pixels, at least 64.
        seed: Seed of all randomness.
    """

    clips: int = 32
    validation_clips: int = 8
    frames: int = 12
    size: int = 256
    seed: int = 0


@dataclass(frozen=True)
class SyntheticClip:
    """A clip with its true landmarks.

    Attributes:
        pictures: T frames (S, S, 3), uint8 RGB.
        landmarks: Landmarks (T, 478, 3) in pixels.
    """

    pictures: list[Pixels]
    landmarks: FloatArray


def write_synthetic_shards(folder: Path, options: SyntheticOptions) -> tuple[list[Path], list[Path]]:
    """Write synthetic clips as shards; the same options give the same bytes.

    Args:
        folder: Where the shards are written; it is made where it does not exist.
        options: Number and size of the clips.

    Returns:
        The shards for training, and those for validation.

    Raises:
        OptionError: An option is out of range.
        OutputError: The folder cannot be written.
    """
    for name, low in LEAST.items():
        check_range(name, getattr(options, name), low, None)
    with explain_failure(folder):
        folder.mkdir(parents=True, exist_ok=True)
    model = load_landmark_model()
    written: list[list[Path]] = []
    for number, (split, clips) in enumerate(zip(SPLITS, (options.clips, options.validation_clips), strict=True)):
        with ShardWriter(folder, f"synthetic-{split}", MOST_BYTES) as writer:
            for clip in range(clips):
                rng = np.random.default_rng((options.seed, number, clip))
                key = f"synthetic-{split}-{options.seed}-{clip:05d}"
                writer.write(_make_sample(key, make_synthetic_clip(model, options, rng), options).items())
        written.append([folder / name for name in writer.names])
    return written[0], written[1]


def make_synthetic_clip(model: LandmarkModel, options: SyntheticOptions, rng: np.random.Generator) -> SyntheticClip:
    """Make a clip of one person who moves in front of a still background.

    Args:
        model: The landmark face model.
        options: Number and size of the frames.
        rng: Source of all randomness.

    Returns:
        The clip.
    """
    identity = IDENTITY_DEVIATION * _normal(rng, (1, model.config.num_identity))
    attributes = _draw_attributes(options.frames, options.size, rng)
    rest = FaceAttributes(*(part.mean(0, keepdim=True) for part in vars(attributes).values()))
    landmarks = _place_landmarks(model, identity, attributes).numpy()
    head = make_synthetic_head(model.shape(identity)[0].numpy(), rng)
    background = paint_background(rng, options.size)
    pictures = [
        paint_frame(head, landmarks[frame], attributes[[frame]], rest, background) for frame in range(options.frames)
    ]
    return SyntheticClip(pictures, landmarks)


def _draw_attributes(num_frames: int, size: int, rng: np.random.Generator) -> FaceAttributes:
    """Draw attributes (T) of a head that moves smoothly about a random middle."""

    def move(deviation: tuple[float, ...], middle: float = 0.5) -> Tensor:
        scale = torch.tensor(deviation)
        return scale * (_draw_curves(rng, num_frames, len(deviation)) + middle * _normal(rng, (1, len(deviation))))

    jaw = torch.nn.functional.pad(move((JAW_DEVIATION,), 0).relu(), (0, 2))
    camera = torch.tensor(CAMERA_MEAN) + 0.5 * move(CAMERA_DEVIATION, 2.0)
    return FaceAttributes(
        expression=move((EXPRESSION_DEVIATION,) * NUM_EXPRESSION),
        pose=torch.cat([move(HEAD_DEVIATION), jaw], 1),
        camera=size * camera - torch.tensor([0, 0.5, 0.5]),
        gaze=move(GAZE_DEVIATION, 0).repeat(1, 2),
        lids=torch.zeros(num_frames, 2),
    )


def _draw_curves(rng: np.random.Generator, num_frames: int, channels: int) -> Tensor:
    """Draw curves (T, C) of unit deviation: each the sum of two waves, half a wave to one and a half in a clip."""
    turns, phases = rng.uniform(0.5, 1.5, (2, channels)), rng.uniform(0, 1, (2, channels))
    time = np.arange(num_frames)[:, None, None] / num_frames
    return torch.from_numpy(np.sin(2 * np.pi * (turns * time + phases)).sum(1).astype(np.float32))


def _place_landmarks(model: LandmarkModel, identity: Tensor, attributes: FaceAttributes) -> Tensor:
    """Compute landmarks (T, 478, 3) in pixels; irises lie between the corners of their eye and follow the gaze."""
    shape = model.shape(identity) + model.displacement(attributes.expression, attributes.jaw)
    for (upper, _, iris), gaze in zip(EYES, attributes.gaze.split(2, dim=1), strict=True):
        corners, mean = [upper[0], upper[-1]], model.mean[list(iris)]
        middle = shape[:, corners].mean(1, keepdim=True) - model.mean[corners].mean(0)
        shape[:, list(iris)] = mean + middle + torch.nn.functional.pad(gaze, (0, 1))[:, None]
    return pose_landmarks(shape, attributes)


def _make_sample(key: str, clip: SyntheticClip, options: SyntheticOptions) -> dict[str, bytes]:
    """Make the files of a clip by name; landmarks are fractions of the picture, whose edges are 0 and 1."""
    info = {
        "clip": key,
        "identity": key,
        "frames": options.frames,
        "frame_numbers": list(range(options.frames)),
        "frames_per_second": FRAMES_PER_SECOND,
        "kind": "synthetic",
        "tier": "open",
        "landmark_model": LANDMARK_MODEL,
        "source": "synthetic faces of the package's landmark model",
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


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(rng.normal(size=shape).astype(np.float32))
