"""How good the geometric coarse frames are: pairs of frames of the same shots, driven by the target's attributes.

python benchmarks/geometric.py SHARD... [--pairs 8]

For each pair the first frame is the source and the second one the target. Prints means over the pairs, at 256 pixels:
L1 and PSNR to the target, and the distance of the landmarks, tracked again in the result, from those that were asked
for; each beside the unmoved source's.
"""

import argparse
import random
from contextlib import closing
from pathlib import Path

import numpy as np
import torch

from fadm.attributes.landmark_model import fit_face, load_landmark_model
from fadm.coarse.source import PERSON_SIZE
from fadm.coarse.source import PreparedSource
from fadm.coarse.geometric.generator import drive_source, prepare_source
from fadm.coarse.geometric.transfer import MotionTransfer
from fadm.data.shards import TrackedClip, read_tracked_clips
from fadm.face.segmentation import segment_person
from fadm.face.tracker import MediaPipeTracker
from fadm.media.crop import Square, copy_square, to_pixels, to_tensor
from fadm.options import Gains

SIDE = 256


def main(shards: list[Path], pairs: int) -> None:
    draw = random.Random(0)
    rows = []
    with closing(MediaPipeTracker(is_video=False)) as tracker:
        for clip in read_tracked_clips(shards):
            frames = range(len(clip.pictures))
            chosen = draw.sample([(i, j) for i in frames for j in frames if i != j], pairs)
            rows += [measure(clip, source, target, tracker) for source, target in chosen]
    found = np.array([row for row in rows if row is not None])
    names = ("L1", "PSNR (dB)", "landmarks (px)")
    for i, name in enumerate(names):
        print(f"{name:>15}: {found[:, 2 * i].mean():.4f}, unmoved source {found[:, 2 * i + 1].mean():.4f}")
    print(f"{len(found)} pairs; in {len(rows) - len(found)} more no face was found in the result")


def measure(clip: TrackedClip, source: int, target: int, tracker: MediaPipeTracker) -> tuple[float, ...] | None:
    pictures = [clip.pictures[i].read() for i in (source, target)]
    model, landmarks = load_landmark_model(), clip.landmarks * SIDE - np.array([0.5, 0.5, 0], np.float32)
    face = fit_face(model, torch.from_numpy(landmarks[source]))
    region = PreparedSource(pictures[0], face, is_crop=True, size=SIDE).region
    person = segment_person(copy_square(pictures[0], region, PERSON_SIZE))
    whole = Square(0, 0, SIDE)
    state = prepare_source(to_tensor(pictures[0]), landmarks[source], person, region, whole, SIDE)
    driving, _ = model.fit(torch.from_numpy(landmarks[target])[None], face.identity)
    transfer = MotionTransfer(model, face, Gains(), face.identity, reach=float("inf"))
    moved, carried = transfer.move(driving, face.attributes)
    frame = drive_source(state, moved[0], carried[0]).frame

    asked = moved[0].numpy()
    tracked = tracker.track(to_pixels(frame))
    if not tracked:
        return None
    errors = []
    for result in (frame, to_tensor(pictures[0])):
        difference = result - to_tensor(pictures[1])
        errors.append((float(difference.abs().mean()), float(-10 * difference.square().mean().log10())))
    distances = [float(np.linalg.norm((a - asked)[:, :2], axis=1).mean()) for a in (tracked[0], landmarks[source])]
    return errors[0][0], errors[1][0], errors[0][1], errors[1][1], *distances


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="+", type=Path)
    parser.add_argument("--pairs", type=int, default=8)
    given = parser.parse_args()
    main(given.shards, given.pairs)
