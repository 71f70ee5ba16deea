"""Track the pictures of shards anew, where their landmarks are another landmark model's."""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fadm.attributes.landmark_model import load_landmark_model
from fadm.data.shard_writer import pack_array, pack_members, read_members
from fadm.data.shards import decode_picture, find_shards, fractions_of, scale_landmarks, split_name
from fadm.errors import InputError
from fadm.face.landmarker import LANDMARK_MODEL, face_region, settle_face
from fadm.face.region import Region, shared_area
from fadm.face.tracker import FaceTracker, TrackedFace
from fadm.files import check_inputs_stay, write_whole
from fadm.progress import NO_PROGRESS, Progress

FloatArray = NDArray[np.float32]

PICTURES = (".jpg", ".png")
PER_FRAME = ("frame_numbers", "face_height", "crop_side")  # entries of the JSON that can hold a value for each frame
LEAST_SHARED = 0.3  # of the union of two regions that show the same face


@dataclass
class RetrackSummary:
    """What tracking anew gave.

    Attributes:
        clips: Clips that were written.
        frames: Their frames.
        lost_clips: Clips left out because no frame shows a face.
        lost_frames: Frames left out, those of lost clips included, because they show no face.
    """

    clips: int = 0
    frames: int = 0
    lost_clips: int = 0
    lost_frames: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Convert to what JSON holds."""
        return asdict(self)


def retrack_shards(places: Sequence[Path], output: Path, progress: Progress = NO_PROGRESS) -> RetrackSummary:
    """Track every picture of shards anew and write shards of the same names.

    A frame's face is looked for where its earlier landmarks are, and where none is seen there, near that place by the
    detectors. Frames without a face are left out.

    Args:
        places: Shards, or folders of shards.
        output: Folder for the new shards; those that it holds already are kept, so that the command resumes.
        progress: Receives reports on the shards.

    Returns:
        How many clips and frames were written.

    Raises:
        InputError: A shard cannot be read, or two shards have the same name.
        OutputError: A shard would be written over itself, or cannot be written.
    """
    shards = find_shards(places)
    if len({shard.name for shard in shards}) < len(shards):
        raise InputError("two of the shards have the same name; track them into folders of their own")
    summary = RetrackSummary()
    progress.stage("tracking", len(shards))
    for shard in shards:
        target = output / shard.name
        check_inputs_stay(target, shard)
        if not target.exists():
            samples = [_retrack(key, files, summary) for key, files in _read_samples(shard)]
            content = pack_members({name: data for files in samples for name, data in files.items()})
            output.mkdir(parents=True, exist_ok=True)
            write_whole(target, content)
        progress.advance()
    return summary


def _read_samples(shard: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield each sample of a shard: its key, and its files by extension."""
    members = ((*split_name(name), content) for name, content in read_members(shard))
    for key, files in groupby(members, key=lambda member: member[0]):
        yield key, {extension: content for _, extension, content in files}


def _retrack(key: str, files: dict[str, bytes], summary: RetrackSummary) -> dict[str, bytes]:
    """Track the frames of a sample -> its new files by name, none where it shows no face."""
    try:
        info, old = json.loads(files["json"]), np.load(io.BytesIO(files["landmarks.npy"]), allow_pickle=False)
        pictures = [(extension, files[extension]) for extension in files if extension.endswith(PICTURES)]
        seen = [_track(data, was.astype(np.float32)) for (_, data), was in zip(pictures, old, strict=True)]
    except (KeyError, OSError, ValueError, SyntaxError) as error:
        raise InputError(f"the clip {key} cannot be read ({error}); prepare it again") from error
    kept = [index for index, landmarks in enumerate(seen) if landmarks is not None]
    summary.lost_frames += len(seen) - len(kept)
    summary.clips, summary.lost_clips = summary.clips + bool(kept), summary.lost_clips + (not kept)
    summary.frames += len(kept)
    if not kept:
        return {}
    per_frame = {name: [info[name][i] for i in kept] for name in PER_FRAME if _is_per_frame(info.get(name), len(seen))}
    info |= per_frame | {"frames": len(kept), "landmark_model": LANDMARK_MODEL}
    written = {f"{key}.{pictures[i][0]}": pictures[i][1] for i in kept}
    landmarks = np.stack([face for face in seen if face is not None])
    written[f"{key}.landmarks.npy"] = pack_array(landmarks.astype(np.float16))
    if "attributes.npy" in files:
        attributes, _ = load_landmark_model().fit(torch.from_numpy(landmarks))
        written[f"{key}.attributes.npy"] = pack_array(attributes.vector.numpy().astype(np.float16))
    written[f"{key}.json"] = json.dumps(info, ensure_ascii=False).encode(errors="replace")
    return written


def _is_per_frame(values: object, frames: int) -> bool:
    return isinstance(values, list) and len(values) == frames


def _track(picture: bytes, earlier: FloatArray) -> FloatArray | None:
    """Find the landmarks (478, 3) of a picture's face as fractions of its side; the earlier ones tell where it is."""
    pixels = decode_picture(picture)
    side = len(pixels)
    region = face_region(scale_landmarks(earlier, side))
    face = settle_face(pixels, region)
    if face is not None:
        return fractions_of(face.landmarks, 0, 0, side)
    near = [face for face in FaceTracker(is_video=False).track(pixels) if _is_there(face, region)]
    return fractions_of(max(near, key=lambda f: f.presence).landmarks, 0, 0, side) if near else None


def _is_there(face: TrackedFace, region: Region) -> bool:
    return shared_area(face_region(face.landmarks), region) > LEAST_SHARED
