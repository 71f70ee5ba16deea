"""From one recording to its clips: shots, faces, selection; a recording that cannot be read has a problem instead."""

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from functools import cache

import torch

from fadm.attributes.landmark_model import LandmarkModel, load_landmark_model
from fadm.data.prepare.face_tracks import FaceTrackCollector
from fadm.data.prepare.layouts import Recording
from fadm.data.prepare.options import NOT_LARGEST, TOO_SHORT, PrepareOptions
from fadm.data.prepare.samples import RecordingResult, cut_crops, make_result, pack_results
from fadm.data.prepare.selection import Candidate, judge_still, judge_track
from fadm.errors import FadmError
from fadm.face.tracker import FaceTracker
from fadm.media.reader import open_frames


def prepare_job(recordings: Iterable[Recording], options: PrepareOptions) -> bytes:
    """Prepare some recordings.

    Args:
        recordings: The recordings.
        options: How clips are cut and selected.

    Returns:
        Their results as a tar, the same bytes in each process.
    """
    return pack_results(prepare_recording(recording, options) for recording in recordings)


def prepare_recording(recording: Recording, options: PrepareOptions) -> RecordingResult:
    """Make the clips of one recording.

    Args:
        recording: The recording.
        options: How clips are cut and selected.

    Returns:
        The clips; a recording that cannot be read has a problem instead.
    """
    try:
        with torch.inference_mode():
            return _prepare(recording, options)
    except MemoryError:
        return RecordingResult(recording.file, "not enough memory to read it")
    except (FadmError, OSError, RuntimeError, ValueError) as error:  # what readers of damaged files raise
        return RecordingResult(recording.file, " ".join(str(error).split()) or type(error).__name__)


def _prepare(recording: Recording, options: PrepareOptions) -> RecordingResult:
    frames, model = open_frames(recording.path), _load_model()
    size = (frames.width, frames.height)
    is_whole = options.crop == "whole" or (options.crop == "auto" and recording.is_cut)
    if recording.kind == "still":
        faces = [face.landmarks for face in _load_tracker(is_video=False).track(next(iter(frames)).pixels)]
        candidates, seconds = [judge_still(faces, size, options, is_whole=is_whole)], 0.0
    else:
        stride = options.every or max(1, round(frames.rate / options.rate))
        most_frames = options.frames if options.every else None
        tracker = _load_tracker(is_video=True)
        collector = FaceTrackCollector(tracker, stride, options.longest, most_frames)
        candidates = [
            judge_track(track, size, options, model, is_whole=is_whole) for track in collector.collect(frames)
        ]
        candidates.sort(key=lambda c: (c.shot, c.began, c.person))
        seconds = collector.ended + float(stride / frames.rate)
        if is_whole or options.faces == "largest" or (options.faces == "auto" and recording.is_of_one):
            candidates = keep_largest(candidates)
    crops = cut_crops(frames, candidates, options.size, options.quality)
    video = (*size, _as_number(frames.rate))
    return make_result(recording, candidates, crops, video, seconds, model, options)


def keep_largest(candidates: list[Candidate]) -> list[Candidate]:
    """Drop each clip during which a larger face is seen; a face that is seen for a moment only does not count.

    Args:
        candidates: All clips of a recording.

    Returns:
        The clips in the same order, some of them now dropped.
    """
    rivals = [c for c in candidates if c.reason != TOO_SHORT]
    return [
        replace(c, reason=NOT_LARGEST, detail="")
        if not c.reason and any(_overlap(c, other) and other.face > c.face for other in rivals)
        else c
        for c in candidates
    ]


def _overlap(one: Candidate, other: Candidate) -> bool:
    return (
        one.shot == other.shot and one.began <= other.began + other.seconds and other.began <= one.began + one.seconds
    )


def _as_number(rate: Fraction) -> float:
    return round(float(rate), 6)


@cache
def _load_model() -> LandmarkModel:
    return load_landmark_model()


@cache
def _load_tracker(*, is_video: bool) -> FaceTracker:
    """Load a tracker, once for the process: a new shot resets it, so nothing of a recording reaches the next one."""
    return FaceTracker(is_video=is_video)
