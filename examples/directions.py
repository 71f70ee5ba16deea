"""Draw what each named control of `fadm edit` does to a portrait: docs/images/directions.jpg."""

import sys
from dataclasses import fields
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from skimage import data

from fadm import Animator
from fadm.controls import FaceControls
from fadm.options import EditOptions

DEGREES = 20.0  # shown for the turns of the head; the other controls are shown at 1
COLUMNS = 4


def main(output: Path) -> None:
    animator, options = Animator(), EditOptions(crop=True, size=320)
    shown = [
        (f.name, sign * (DEGREES if f.metadata["limit"] > 2 else 1))
        for f in fields(FaceControls)
        if "limit" in f.metadata
        for sign in (1, -1)
    ]
    pictures = {(n, v): animator.edit(data.astronaut(), FaceControls(**{n: v}), options) for n, v in shown}
    rows = -(-len(pictures) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(2 * COLUMNS, 2.25 * rows), layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, ((name, value), picture) in zip(axes.flat, pictures.items(), strict=False):
        axis.imshow(picture)
        axis.set_title(f"--{name.replace('_', '-')} {value:g}", fontsize=9, family="monospace")
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=90)
    print(f"written: {output}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/directions.jpg"))
