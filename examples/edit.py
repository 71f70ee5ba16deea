"""Change the expression and pose of a portrait: python examples/edit.py [OUTPUT]."""

import sys
from pathlib import Path

import skimage.data

import fadm
from fadm.animation.files import edit_file

PORTRAIT = Path(skimage.data.__file__).parent / "astronaut.png"


def main(output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    controls = fadm.FaceControls(yaw=15, mouth_open=0.5, brows_up=1)  # degrees; 1 is a full movement
    options = fadm.EditOptions(crop=True, size=320)
    edit_file(fadm.Animator(), PORTRAIT, output, controls, options)
    print(f"written: {output}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo/edit.png"))
