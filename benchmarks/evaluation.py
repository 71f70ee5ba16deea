"""The cost of an evaluation: milliseconds a frame by part and cases a minute, for the geometric coarse generator.

python benchmarks/evaluation.py SHARD... [--protocol reconstruction] [--count 100] [--metrics pixel,landmarks]

Prints wall time by part, with the parts' shares, and the processor's time in all. Features of driving frames are
cached, so more pairs of the same clips cost less each.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from fadm.evaluation.build import build_evaluation, choose_pairs, read_clips
from fadm.evaluation.journal import read_run
from fadm.evaluation.options import RunOptions
from fadm.evaluation.outputs.files import measure_time
from fadm.evaluation.run import run_and_write


def main(shards: list[Path], protocol: str, count: int, metrics: str) -> None:
    """Evaluate in a temporary folder and print the times.

    Args:
        shards: Shards or folders of shards.
        protocol: The protocol.
        count: Number of pairs.
        metrics: Groups of metrics, with commas.
    """
    options = RunOptions(protocol=protocol, count=count, metrics=metrics)
    clips = read_clips(shards)
    pairs = choose_pairs(clips, options, None)
    started = time.process_time()
    evaluation = build_evaluation("geometric", clips, pairs, options, torch.device("cpu"))
    with TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        run_and_write(evaluation, run, options)
        _, pairs, results = read_run(run)
    timing = measure_time(results, pairs)
    for part, spent in timing["ms_per_frame"].items():
        print(f"{part:>28}: {spent:7.1f} ms  {100 * timing['shares'][part]:5.1f} %")
    print(f"{timing['cases_per_minute']:.0f} cases in a minute")
    print(f"{pairs.num_frames} frames in {timing['seconds']:.0f} s; processor {time.process_time() - started:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="+", type=Path)
    parser.add_argument("--protocol", default="random-pairs")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--metrics", default="pixel,perceptual,landmarks")
    given = parser.parse_args()
    main(given.shards, given.protocol, given.count, given.metrics)
