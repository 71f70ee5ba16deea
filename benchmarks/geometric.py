"""The quality of the geometric coarse frames on pairs of frames of one clip, driven by the target's attributes.

python benchmarks/geometric.py SHARD... [--pairs 8]

For each pair the first frame is the source and the second one the target. Prints means over the pairs, at 256 pixels:
L1 and PSNR to the target, and the distance of the landmarks tracked in the result from the requested ones; each
beside the unmoved source's.
"""

import argparse
import random
from contextlib import closing
from pathlib import Path

import numpy as np

from fadm.animation.animator import Animator
from fadm.animation.build import Networks
from fadm.data.clips import StoredFaces, clip_options, open_pictures, read_face
from fadm.data.shards import TrackedClip, read_tracked_clips
from fadm.face.tracker import FaceTracker
from fadm.media.crop import to_pixels, to_tensor

SIDE = 256


def main(shards: list[Path], pairs: int) -> None:
    """Measure the pairs and print the means.

    Args:
        shards: Shards.
        pairs: Pairs of each clip.
    """
    draw = random.Random(0)
    rows = []
    with closing(FaceTracker(is_video=False)) as tracker:
        for clip in read_tracked_clips(shards):
            frames = range(len(clip.pictures))
            chosen = draw.sample([(i, j) for i in frames for j in frames if i != j], pairs)
            rows += [measure(clip, source, target, tracker) for source, target in chosen]
    found = np.array([row for row in rows if row is not None])
    names = ("L1", "PSNR (dB)", "landmarks (px)")
    for i, name in enumerate(names):
        print(f"{name:>15}: {found[:, 2 * i].mean():.4f}, unmoved source {found[:, 2 * i + 1].mean():.4f}")
    print(f"{len(found)} pairs; in {len(rows) - len(found)} more no face was found in the result")


def measure(clip: TrackedClip, source: int, target: int, tracker: FaceTracker) -> tuple[float, ...] | None:
    """Drive one frame of a clip by another, by the animation path.

    Args:
        clip: The clip.
        source: Number of the source frame.
        target: Number of the driving frame.
        tracker: Finds the face in the result.

    Returns:
        L1, PSNR (dB) and landmark distance (pixels), each of the result and of the unmoved source; None without a face.
    """
    own, driving = (read_face(clip, frame, SIDE) for frame in (source, target))
    faces, options = StoredFaces(), clip_options(SIDE, placement="clip")
    for face in (own, driving):
        faces.add(face.pixels, face.landmarks)
    animator = Animator(device="cpu", make_tracker=faces.make_tracker)
    prepared = animator.prepare(own.pixels, options)
    driver = open_pictures(clip.key, [lambda: driving.pixels], (SIDE, SIDE))
    anchored = animator.read_driver(prepared, driver, options).anchored
    animation, _ = animator.follow(Networks(), prepared, anchored, options, None)
    drawn = animation.draw(0, None)

    requested = drawn.landmarks.numpy()
    tracked = tracker.track(to_pixels(drawn.view))
    if not tracked:
        return None
    errors = []
    for result in (drawn.view, to_tensor(own.pixels)):
        difference = result - to_tensor(driving.pixels)
        errors.append((float(difference.abs().mean()), float(-10 * difference.square().mean().log10())))
    faces = (tracked[0].landmarks, own.landmarks)
    distances = [float(np.linalg.norm((face - requested)[:, :2], axis=1).mean()) for face in faces]
    return errors[0][0], errors[1][0], errors[0][1], errors[1][1], *distances


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="+", type=Path)
    parser.add_argument("--pairs", type=int, default=8)
    given = parser.parse_args()
    main(given.shards, given.pairs)
