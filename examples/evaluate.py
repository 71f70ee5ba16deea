"""Measure the shipped renderer, and its coarse frames, on synthetic clips: python examples/evaluate.py [FOLDER].

Shards of your own held-out clips, made by `fadm data prepare`, take the place of the synthetic ones.
"""

import sys
from pathlib import Path

import fadm
from fadm.data.synthetic.clips import SyntheticOptions, write_synthetic_shards
from fadm.evaluation.options import RunOptions

PAIRS = 4  # pairs of source and driving frame


def main(folder: Path) -> None:
    synthetic = SyntheticOptions(clips=1, validation_clips=2, frames=4, size=128)
    _, held_out = write_synthetic_shards(folder / "shards", synthetic)
    options = RunOptions(protocol="random-pairs", count=PAIRS, metrics="pixel")
    report, table = fadm.evaluate("fadm_small", held_out, folder / "fadm_small", options)
    print(table)
    means = report["means"]["l1"]  # mean of each metric by stage
    print(f"L1: {means['coarse']:.4f} of the coarse frames, {means['rendered']:.4f} rendered")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo/evaluation"))
