"""Clips as the files of samples, and the result of preparing a recording."""

import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from fadm.attributes.landmark_model import LandmarkModel
from fadm.data.prepare.face_tracks import select_frames
from fadm.data.prepare.layouts import Recording
from fadm.data.prepare.options import NO_FACE, PrepareOptions
from fadm.data.prepare.selection import STRIP, Candidate, spread_evenly
from fadm.data.prepare.work_folder import RESULTS, STRIPS
from fadm.data.shard_writer import pack_array, pack_members
from fadm.data.shards import fractions_of
from fadm.face.landmarker import LANDMARK_MODEL
from fadm.media.crop import copy_square, resize_pixels
from fadm.media.frames import Frame

Pixels = NDArray[np.uint8]

THUMBNAIL = 64  # pixels
THUMBNAIL_QUALITY = 75


@dataclass(frozen=True)
class ClipNote:
    """What the summary says about a clip.

    Attributes:
        key: Name of the clip.
        identity: Name of the person.
        frames: Number of its frames; 0 for a clip that is dropped.
        seconds: Its duration in the video.
        reason: Why it is dropped; empty for one that is kept.
        detail: The measure behind the reason.
    """

    key: str
    identity: str
    frames: int
    seconds: float
    reason: str = ""
    detail: str = ""


@dataclass
class RecordingResult:
    """What preparing a recording gives.

    Attributes:
        file: Path of the recording below the input.
        problem: Why it could not be read; empty otherwise.
        seconds: Its duration.
        notes: A note on each clip, kept or dropped.
        strips: Thumbnails of each clip as a JPEG file, by the key of its note.
        samples: The files of the kept clips by name, those of a clip together.
    """

    file: str
    problem: str = ""
    seconds: float = 0.0
    notes: list[ClipNote] = field(default_factory=list)
    strips: dict[str, bytes] = field(default_factory=dict)
    samples: dict[str, bytes] = field(default_factory=dict)


def pack_results(results: Iterable[RecordingResult]) -> bytes:
    """Pack results into one tar: notes as JSON, then strips, then samples.

    Args:
        results: The results of a job.

    Returns:
        The bytes of the tar.
    """
    records: list[dict[str, Any]] = []
    strips: dict[str, bytes] = {}
    samples: dict[str, bytes] = {}
    for result in results:
        notes = [asdict(note) for note in result.notes]
        records.append({"file": result.file, "problem": result.problem, "seconds": result.seconds, "notes": notes})
        strips |= {f"{STRIPS}{key}.jpg": content for key, content in result.strips.items()}
        samples |= result.samples
    return pack_members({RESULTS: json.dumps(records).encode()} | strips | samples)


def cut_crops(
    frames: Iterable[Frame], candidates: list[Candidate], size: int, quality: int
) -> tuple[list[list[bytes]], list[bytes]]:
    """Read the frames again and cut the clips.

    Args:
        frames: All frames of the recording.
        candidates: The clips, kept or dropped.
        size: Side of the crops in pixels.
        quality: Of the JPEG files, up to 100.

    Returns:
        The crops of each clip as JPEG files, none for a dropped one, and a strip of thumbnails for each clip.
    """
    wanted: dict[int, list[int]] = {}
    for index, candidate in enumerate(candidates):
        for number in candidate.numbers:
            wanted.setdefault(number, []).append(index)
    files: list[list[bytes]] = [[] for _ in candidates]
    thumbnails: list[list[Pixels]] = [[] for _ in candidates]
    shown = [{c.numbers[i] for i in spread_evenly(len(c.numbers), STRIP)} for c in candidates]
    for number, frame in select_frames(frames if wanted else (), set(wanted).__contains__):
        for index in wanted.pop(number):
            candidate, is_kept = candidates[index], not candidates[index].reason
            if is_kept or number in shown[index]:
                crop = copy_square(frame.pixels, candidate.window, size if is_kept else THUMBNAIL)
                if is_kept:
                    files[index].append(_pack_jpeg(crop, quality))
                if number in shown[index]:
                    thumbnails[index].append(resize_pixels(crop, THUMBNAIL, THUMBNAIL))
        if not wanted:
            break
    return files, [_pack_strip(row) for row in thumbnails]


def make_sample(
    key: str,
    recording: Recording,
    candidate: Candidate,
    pictures: list[bytes],
    video: tuple[int, int, float],
    model: LandmarkModel,
    options: PrepareOptions,
) -> dict[str, bytes]:
    """Make the files of a clip.

    Landmarks are stored as fractions of the crop (MediaPipe's convention: 0 and 1 are its edges), with the name of the
    model that found them; attributes are fitted with one identity for the clip.

    Args:
        key: Name of the clip.
        recording: The recording that it is from.
        candidate: Its window, frames and landmarks.
        pictures: Its crops as JPEG files.
        video: Width, height and frames per second of the recording.
        model: The landmark face model, for the attributes.
        options: Terms of use, kept with the clip.

    Returns:
        The files by name.
    """
    width, height, rate = video
    window, landmarks = candidate.window, candidate.landmarks
    fractions = fractions_of(landmarks, window.left, window.top, window.side)
    attributes, _ = model.fit(torch.from_numpy(landmarks))
    info = {
        "clip": key,
        "identity": recording.identity,
        "frames": len(pictures),
        "landmark_model": LANDMARK_MODEL,
        "frame_numbers": list(candidate.numbers),
        "frames_per_second": rate,
        "tier": options.tier,
        "source": recording.source,
        "terms": options.terms,
        "file": recording.file,
        "split": recording.split,
        "shot": candidate.shot,
        "person": candidate.person,
        "window": [window.left, window.top, window.side],
        "video_size": [width, height],
    }
    digits = max(2, len(str(len(pictures) - 1)))
    files = {f"{key}.{index:0{digits}d}.jpg": picture for index, picture in enumerate(pictures)}
    files[f"{key}.landmarks.npy"] = pack_array(fractions.astype(np.float16))
    files[f"{key}.attributes.npy"] = pack_array(attributes.vector.numpy().astype(np.float16))
    files[f"{key}.json"] = json.dumps(info, ensure_ascii=False).encode(errors="replace")
    return files


def make_result(
    recording: Recording,
    candidates: list[Candidate],
    crops: tuple[list[list[bytes]], list[bytes]],
    video: tuple[int, int, float],
    seconds: float,
    model: LandmarkModel,
    options: PrepareOptions,
) -> RecordingResult:
    """Make the samples of the kept clips, and a note on each clip.

    Args:
        recording: The recording.
        candidates: Its clips, kept or dropped; their order numbers them.
        crops: Their pictures and strips, as from `cut_crops`.
        video: Width, height and frames per second of the recording.
        seconds: Its duration.
        model: The landmark face model, for the attributes.
        options: Terms of use, kept with each clip.

    Returns:
        The result.
    """
    result = RecordingResult(recording.file, seconds=round(seconds, 3))
    for index, (candidate, pictures, strip) in enumerate(zip(candidates, *crops, strict=True)):
        key = recording.name if recording.kind == "still" else f"{recording.name}__{index:04d}"
        duration = round(candidate.seconds, 3)
        note = ClipNote(key, recording.identity, len(pictures), duration, candidate.reason, candidate.detail)
        result.notes.append(note)
        result.strips[key] = strip
        if not candidate.reason:
            result.samples |= make_sample(key, recording, candidate, pictures, video, model, options)
    if not candidates:
        result.notes.append(ClipNote(recording.name, recording.identity, 0, result.seconds, NO_FACE))
    return result


def _pack_jpeg(pixels: Pixels, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def _pack_strip(thumbnails: list[Pixels]) -> bytes:
    return _pack_jpeg(np.concatenate(thumbnails, axis=1), THUMBNAIL_QUALITY) if thumbnails else b""
