"""Validation curve of training runs that continue each other: a picture, and its numbers as a Markdown table.

python benchmarks/curves.py RUN... -o PICTURE [--baseline coarse]

The baseline, drawn as a line, is `coarse` (the coarse frames) for a renderer, `source` for a coarse generator.
"""

import argparse
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

from fadm.training.run_folder import read_metrics

PREFIX = "validation/"
NAMES = {"l1": "L1", "psnr": "PSNR (dB)", "perceptual": "EfficientNet-Lite0 distance"}


def read_runs(runs: list[Path]) -> tuple[list[int], list[dict[str, float]]]:
    """Steps, counted over all runs, and what was measured after each."""
    steps, rows = [], []
    for run in runs:
        before = steps[-1] if steps else 0
        judged = [row for row in read_metrics(run / "metrics.jsonl") if f"{PREFIX}l1" in row]
        judged = judged[1:] if rows else judged  # a run begins where the one before it ended
        steps += [before + int(row["step"]) for row in judged]
        rows += judged
    return steps, rows


def main(runs: list[Path], picture: Path, baseline: str) -> None:
    matplotlib.use("Agg")
    steps, rows = read_runs(runs)
    print(f"| step | {' | '.join(NAMES.values())} |")
    print("|---|" + "---|" * len(NAMES))
    print("| " + " | ".join([baseline, *(f"{rows[0][f'{PREFIX}{name}_{baseline}']:.4g}" for name in NAMES)]) + " |")
    for step, row in zip(steps, rows, strict=True):
        print("| " + " | ".join([str(step), *(f"{row[PREFIX + name]:.4g}" for name in NAMES)]) + " |")
    figure, axes = plt.subplots(1, len(NAMES), figsize=(4 * len(NAMES), 3), layout="constrained")
    for axis, (name, title) in zip(axes, NAMES.items(), strict=True):
        axis.plot(steps, [row[PREFIX + name] for row in rows], marker=".")
        axis.axhline(rows[0][f"{PREFIX}{name}_{baseline}"], linestyle="--", color="grey", label=baseline)
        axis.set(title=title, xlabel="step")
        axis.legend()
    figure.savefig(picture)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--baseline", default="coarse")
    given = parser.parse_args()
    main(given.runs, given.output, given.baseline)
