"""Clips for the evaluation's tests: the astronaut's head swaying, and as another person its mirror image."""

import io
import json
import tarfile
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fadm.data.shard_writer import pack_array
from fadm.data.shards import TrackedClip, read_tracked_clips
from fadm.evaluation.build import build_evaluation, choose_pairs
from fadm.evaluation.options import RunOptions
from fadm.evaluation.outputs.files import CSV, JSON, LATEX, MARKDOWN
from fadm.evaluation.run import run_and_write
from fadm.face.landmarker import LANDMARK_MODEL
from fadm.face.topology import mirror_partners
from tests.face.portraits import SIDE, read_portrait

NUM_FRAMES = 4
TABLES = (CSV, JSON, MARKDOWN, LATEX)


@cache
def swaying_head(*, mirrored: bool = False) -> list[tuple[np.ndarray, np.ndarray]]:
    """Frames (256, 256, 3) and their landmarks (478, 3) in pixels: turned by a degree and moved by pixels a frame."""
    portrait = read_portrait()
    pixels, points = portrait.pixels, portrait.landmarks
    if mirrored:
        pixels, points = pixels[:, ::-1], points[mirror_partners()] * [-1, 1, 1] + [SIDE - 1, 0, 0]
    frames = []
    for i in range(NUM_FRAMES):
        angle, shift = np.radians(2.0 * i), np.array([3.0 * i, -2.0 * i])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        center = np.array([SIDE / 2, SIDE / 2])
        moved = points.copy()
        moved[:, :2] = (points[:, :2] + 0.5 - center) @ turn.T + center + shift - 0.5
        offset = center - turn.T @ (center + shift)
        affine = (*turn.T[0], offset[0], *turn.T[1], offset[1])
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        size = (SIDE, SIDE)
        turned = picture.transform(size, Image.Transform.AFFINE, affine, resample=Image.Resampling.BICUBIC)
        frames.append((np.array(turned), moved.astype(np.float32)))
    return frames


def write_shard(path: Path) -> Path:
    """Two clips of two people as a shard with lossless pictures; frames follow each other at 25 a second."""
    with tarfile.open(path, "w") as tar:
        for key, mirrored in (("clip-a", False), ("clip-b", True)):
            frames = swaying_head(mirrored=mirrored)
            fractions = np.stack([(points + np.array([0.5, 0.5, 0])) / SIDE for _, points in frames])
            info = {"identity": key, "frame_numbers": list(range(NUM_FRAMES)), "frames_per_second": 25.0}
            info["landmark_model"] = LANDMARK_MODEL
            files = {f"{key}.{i:02d}.png": pack_png(pixels) for i, (pixels, _) in enumerate(frames)}
            files[f"{key}.landmarks.npy"] = pack_array(fractions.astype(np.float32))
            files[f"{key}.json"] = json.dumps(info).encode()
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def pack_png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def read_shard(path: Path) -> list[TrackedClip]:
    return list(read_tracked_clips([path]))


def run_on(shard: Path, model: str, folder: Path, pair_list: Path | None = None, **given) -> dict[str, dict]:
    """Evaluate as the command does -> the summary's means: estimate by metric and stage."""
    options = RunOptions(**{"metrics": "pixel", "count": 4} | given)
    clips = read_shard(shard)
    pairs = choose_pairs(clips, options, pair_list)
    evaluation = build_evaluation(model, clips, pairs, options, torch.device("cpu"))
    report, _ = run_and_write(evaluation, folder, options)
    return report["means"]


def read_tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in TABLES}
