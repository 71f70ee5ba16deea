"""The tables of docs/evaluation.md and docs/renderer.md: the quality of the shipped models, by one command.

python benchmarks/quality.py SHARD... -o FOLDER [--renderer fadm_small] [--count 1000]

Random pairs of a clip: the unmoved source compared with the renderer over the geometric coarse frames.
Whole clips from their first frame, for steadiness, and across people, for identity. Then the renderer with more steps
and without its conditions, and its gain by the head's angle to the source. Finished runs are read, unfinished ones are
resumed.
"""

import argparse
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from fadm.attributes.landmark_model import load_landmark_model
from fadm.data.shards import TrackedClip
from fadm.evaluation.build import build_ablation, build_evaluation, choose_pairs, read_clips
from fadm.evaluation.comparison import compare_runs
from fadm.evaluation.journal import read_run
from fadm.evaluation.options import CONDITIONS, AblationOptions, RunOptions
from fadm.evaluation.run import run_and_write
from fadm.metrics.attributes import fit_attributes, head_angle

ANGLES = (0, 5, 10, 20, 180)  # degrees
SHOWN_BY_ANGLE = ("l1", "efficientnet_lite0_distance", "akd")
CPU = torch.device("cpu")
PICTURES = "pixel,perceptual,landmarks"


def plan(count: int) -> dict[str, tuple[str | None, RunOptions | AblationOptions]]:
    """List the runs.

    Args:
        count: Random pairs of the main runs.

    Returns:
        By name of the run's folder, its method (None for the renderer) and options.
    """
    fewer, few = max(1, count // 4), max(1, count // 10)  # a hundred steps are slow
    return {
        "unmoved": ("unmoved", RunOptions(count=count, metrics=PICTURES)),
        "rendered": (None, RunOptions(count=count, metrics=f"{PICTURES},identity")),
        "without": (
            None,
            AblationOptions(count=fewer, metrics=PICTURES, steps="1", without=",".join(CONDITIONS)),
        ),
        "steps": (None, AblationOptions(count=few, metrics=PICTURES, steps="1,2,4,8,20,100")),
        "reconstruction": (None, RunOptions(protocol="reconstruction", metrics="pixel,following,temporal")),
        "cross-identity": (
            None,
            RunOptions(protocol="cross-identity", metrics="identity,attributes,landmarks,following"),
        ),
    }


def print_by_angle(clips: Sequence[TrackedClip], run: Path) -> None:
    """Print the means of coarse and rendered frames by the head's angle between source and driver.

    Args:
        clips: The clips.
        run: Folder of a run on random pairs.
    """
    model, by_key = load_landmark_model(), {clip.key: clip for clip in clips}
    _, pairs, results = read_run(run)
    angles = []
    for case in pairs.cases:
        frames = by_key[case.driving_clip].landmarks[[case.source_frame, *case.driving_frames]]
        heads = fit_attributes(model, torch.from_numpy(256 * frames))
        angles.append(float(head_angle(heads[:1], heads[1:])))
    print("| head turns by | pairs | " + " | ".join(SHOWN_BY_ANGLE) + " |\n|---|---|" + "---|" * len(SHOWN_BY_ANGLE))
    for low, high in pairwise(ANGLES):
        inside = [results[c.name].values for c, a in zip(pairs.cases, angles, strict=True) if low <= a < high]
        row = [f"{low:g} to {high:g} degrees", str(len(inside))]
        for metric in SHOWN_BY_ANGLE:
            coarse, rendered = (np.nanmean([v[s][metric] for v in inside]) for s in ("coarse", "rendered"))
            row.append(f"{coarse:.4g} -> {rendered:.4g} ({100 * (rendered / coarse - 1):+.1f} %)")
        print("| " + " | ".join(row) + " |")


def main(shards: list[Path], folder: Path, renderer: str, count: int) -> None:
    """Run or resume every evaluation and print its table.

    Args:
        shards: Shards or folders of shards.
        folder: Folder of the runs.
        renderer: The renderer's weights by name or file.
        count: Random pairs of the main runs.
    """
    clips = read_clips(shards)
    for name, (method, options) in plan(count).items():
        pairs = choose_pairs(clips, options, None)
        if isinstance(options, AblationOptions):
            evaluation = build_ablation(renderer, clips, pairs, options, CPU)
        else:
            evaluation = build_evaluation(method or renderer, clips, pairs, options, CPU)
        _, table = run_and_write(evaluation, folder / name, options)
        print(f"# {name}\n\n{table}\n", flush=True)
    compared = compare_runs([folder / "unmoved", folder / "rendered"])
    compared.write(folder / "comparison")
    print(compared.markdown())
    print_by_angle(clips, folder / "rendered")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--renderer", default="fadm_small")
    parser.add_argument("--count", type=int, default=1000)
    given = parser.parse_args()
    main(given.shards, given.output, given.renderer, given.count)
